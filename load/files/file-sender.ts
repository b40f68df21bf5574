/** A container whose process writes numbered lines: to a file, as its runtime would. */
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { errorMessage } from '#model/errors.ts';
import { type LineShape, numberedLines } from '../numbered-line.ts';
import type { SenderReport } from '../run-report.ts';
import { type Schedule, type Sender, tickMs } from '../sender.ts';
import type { ContainerLog } from './container-log.ts';

export interface FileSenderOptions {
  readonly name: string;
  readonly run: string;
  readonly log: ContainerLog;
  readonly shape: LineShape;
}

/** So many records are written before others have their turn. */
const turnRecordsMax = 500;

export class FileSender implements Sender {
  readonly #options: FileSenderOptions;
  #failure = '';

  constructor(options: FileSenderOptions) {
    this.#options = options;
  }

  async run({ due, planned, stop }: Schedule): Promise<void> {
    const { log } = this.#options;
    try {
      while (log.seq < planned && !stop.aborted) {
        const owed = due() - log.seq;
        for (let i = 0; i < Math.min(owed, turnRecordsMax); i++) this.#writeNext();
        if (owed > turnRecordsMax) await nextTurn();
        else await delay(tickMs);
      }
      log.close();
    } catch (error) {
      this.#failure = `cannot write ${log.path}: ${errorMessage(error)}`;
    }
  }

  report(): SenderReport {
    const { name, log } = this.#options;
    return {
      name,
      kind: 'log_file',
      target: log.path,
      written: log.seq,
      acknowledged: log.seq,
      retries: 0,
      rotations: log.rotations,
      failure: this.#failure,
    };
  }

  #writeNext(): void {
    const { name, run, log, shape } = this.#options;
    const seq = log.seq + 1;
    log.write(seq % 7 === 0 ? 'stderr' : 'stdout', numberedLines({ run, sender: name, seq }, shape));
  }
}

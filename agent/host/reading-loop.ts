/**
 * Reads a source again and again: a reading begins every `intervalMs`, and never before the one before it has ended.
 *
 *   read(nowMs) -> its samples are shipped; a list of what cannot be read is logged once, until it changes
 */
import { type Gauge, metrics } from '@opentelemetry/api';
import type { Logger } from 'pino';
import { errorMessage } from '#model/errors.ts';
import type { HostSample } from './host-sample.ts';
import type { SampleShipper } from './sample-shipper.ts';

export interface Reading {
  readonly samples: readonly HostSample[];
  /** `path: reason` of each file that could not be read. */
  readonly skipped: readonly string[];
  /** What was found and not read because there was more than a bound. */
  readonly leftOut?: number;
}

export interface ReadingStatus {
  /** When the source was last read, in Unix milliseconds; 0 before the first time. */
  readonly lastReadMs: number;
  /** How long that took. */
  readonly lastDurationMs: number;
  readonly samples: number;
  readonly skipped: readonly string[];
  readonly sent: number;
  readonly lost: Readonly<Record<string, number>>;
}

export interface ReadingLoopOptions {
  /** May reject: then nothing is shipped, and all series of the source end. */
  readonly read: (nowMs: number) => Promise<Reading>;
  readonly shipper: SampleShipper;
  readonly intervalMs: number;
  /** Named in log lines: `the host`. */
  readonly source: string;
  /** What a person can do about what cannot be read. */
  readonly advice: string;
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly now: () => number;
}

const drainMsDefault = 5_000;

export class ReadingLoop {
  readonly #options: ReadingLoopOptions;
  #isStopping = false;
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> = Promise.resolve();
  #last: Reading = { samples: [], skipped: [] };
  #lastReadMs = 0;
  #lastDurationMs = 0;
  readonly #gauges: Readonly<Record<'series' | 'skipped' | 'leftOut' | 'duration', Gauge>>;

  constructor(options: ReadingLoopOptions) {
    this.#options = options;
    const meter = metrics.getMeter('sonde');
    this.#gauges = {
      series: meter.createGauge('sonde.agent.reading.series', { description: 'Series of the last reading.' }),
      skipped: meter.createGauge('sonde.agent.reading.skipped_files', {
        description: 'Files that the last reading could not read.',
      }),
      leftOut: meter.createGauge('sonde.agent.reading.left_out', {
        description:
          'Cgroups that the last reading left out because there are more than containers.cgroups_max.',
      }),
      duration: meter.createGauge('sonde.agent.reading.duration', {
        description: 'How long the last reading took.',
        unit: 's',
      }),
    };
  }

  /** Begins with a reading at once. */
  start(): void {
    this.#reading = this.#read();
  }

  status(): ReadingStatus {
    const { shipper } = this.#options;
    return {
      lastReadMs: this.#lastReadMs,
      lastDurationMs: this.#lastDurationMs,
      samples: this.#last.samples.length,
      skipped: this.#last.skipped,
      sent: shipper.sent,
      lost: shipper.lost,
    };
  }

  /** Ends all series, and gives the transport `drainMs` for what waits; what is left then is counted as lost. */
  async stop({ drainMs = drainMsDefault }: { drainMs?: number } = {}): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#timer);
    await this.#reading;
    await this.#options.shipper.stop(this.#options.now(), drainMs);
  }

  /** Reads, ships and plans the next reading. Never rejects. */
  async #read(): Promise<void> {
    const { intervalMs, read, shipper, log, now } = this.#options;
    const startMs = now();
    try {
      const reading = await read(startMs);
      if (this.#isStopping) return;
      this.#tell(reading.skipped);
      this.#last = reading;
      this.#lastReadMs = startMs;
      this.#lastDurationMs = now() - startMs;
      this.#measure();
      await shipper.ship(reading.samples, startMs);
    } catch (error) {
      log.error(
        { source: this.#options.source, reason: errorMessage(error) },
        'BUG: a reading failed in an unforeseen way',
      );
      if (!this.#isStopping) await shipper.ship([], startMs);
    }
    if (this.#isStopping) return;
    this.#timer = setTimeout(() => this.start(), Math.max(0, intervalMs - (now() - startMs)));
  }

  #measure(): void {
    const source = { source: this.#options.source };
    this.#gauges.series.record(this.#last.samples.length, source);
    this.#gauges.skipped.record(this.#last.skipped.length, source);
    this.#gauges.leftOut.record(this.#last.leftOut ?? 0, source);
    this.#gauges.duration.record(this.#lastDurationMs / 1000, source);
  }

  #tell(skipped: readonly string[]): void {
    const { source, advice, log } = this.#options;
    if (skipped.join() === this.#last.skipped.join()) return;
    if (skipped.length === 0) log.info({ source }, 'all is readable again');
    else log.warn({ source, skipped, advice }, 'some files cannot be read');
  }
}

/**
 * Writes one container's log file as its runtime does, and rotates it as its rotator does.
 *
 *   new ContainerLog('/var/log/pods/shop_web-1_u/web/0.log', 'cri', { mode: 'rename', bytes: 10e6, kept: 4 })
 *   log.write('stdout', ['GET /a'])  ->  2026-01-01T00:00:00.000000001Z stdout F GET /a
 */
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { frameLine, type LogFormat, runtimeTimestamp, type Stream } from './line-framing.ts';
import { copyTruncate, type Rotation, renameAsKubelet, renameNumbered, reopensAtOnce } from './rotation.ts';

export class ContainerLog {
  readonly path: string;
  readonly #format: LogFormat;
  readonly #rotation: Rotation;
  readonly #rotated: string[] = [];
  #descriptor: number;
  #bytes = 0;
  /** The file was renamed, and its writer has not been told yet. */
  #mustReopen = false;
  /** Records written. */
  seq = 0;
  rotations = 0;

  /** Makes the file and its directory. Throws the system's error, also in every write. */
  constructor(path: string, format: LogFormat, rotation: Rotation) {
    mkdirSync(dirname(path), { recursive: true });
    this.path = path;
    this.#format = format;
    this.#rotation = rotation;
    this.#descriptor = openSync(path, 'a');
  }

  /** Appends one record: its lines get one time. `seq` has counted it when this returns. */
  write(stream: Stream, lines: readonly string[]): void {
    const time = this.#format === 'plain' ? '' : runtimeTimestamp();
    let text = '';
    for (const line of lines) text += frameLine(this.#format, time, stream, line);
    // One write for a record, as container runtimes do for a line: rotation never splits it.
    this.#append(Buffer.from(text));
    this.seq++;
    if (this.#mustReopen) this.#reopen();
    else if (this.#rotation.mode !== 'none' && this.#bytes >= this.#rotation.bytes) this.#rotate();
  }

  close(): void {
    if (this.#mustReopen) this.#reopen();
    closeSync(this.#descriptor);
  }

  #append(bytes: Buffer): void {
    // A disk that is nearly full takes a part, and says why at the next try.
    for (let from = 0; from < bytes.length; ) from += writeSync(this.#descriptor, bytes, from);
    this.#bytes += bytes.length;
  }

  #rotate(): void {
    this.rotations++;
    if (this.#rotation.mode === 'copytruncate') {
      copyTruncate(this.path, this.#rotation.kept);
      this.#bytes = 0;
      return;
    }
    if (this.#format === 'cri') {
      this.#rotated.push(renameAsKubelet(this.path, new Date()));
      if (this.#rotated.length > this.#rotation.kept) rmSync(this.#rotated.shift()!, { force: true });
    } else renameNumbered(this.path, this.#rotation.kept);
    if (reopensAtOnce(this.#format)) this.#reopen();
    // The kubelet and logrotate rename first and tell the writer then: a record more goes to the renamed file.
    else this.#mustReopen = true;
  }

  #reopen(): void {
    closeSync(this.#descriptor);
    this.#descriptor = openSync(this.path, 'a');
    this.#bytes = 0;
    this.#mustReopen = false;
  }
}

/** Where docker writes a container's log below `root`; makes its own description of it, which carries the name. */
export function dockerContainerPath(root: string, id: string, name: string): string {
  const directory = join(root, id);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'config.v2.json'), JSON.stringify({ ID: id, Name: `/${name}` }));
  return join(directory, `${id}-json.log`);
}

export interface PodContainer {
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
  readonly container: string;
}

/** Where the kubelet has a container's log, below its directory of pods. */
export function podContainerPath(root: string, { namespace, pod, uid, container }: PodContainer): string {
  return join(root, `${namespace}_${pod}_${uid}`, container, '0.log');
}

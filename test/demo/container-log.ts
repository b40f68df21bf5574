/**
 * Writes one simulated container's log file as its runtime would: CRI lines as containerd and the kubelet do, or
 * docker's json-file, with rotation by rename. Every record carries `seq=N`, counted per container without gaps.
 */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

export type Stream = 'stdout' | 'stderr';

/** Runtimes cut lines at this many bytes: containerd marks the pieces P and F, docker leaves out the newline. */
const runtimeLineBytesMax = 16 * 1024;

export class ContainerLog {
  readonly #path: string;
  readonly #format: 'cri' | 'docker';
  readonly #rotateBytes: number;
  readonly #keptFiles: number;
  readonly #rotated: string[] = [];
  #descriptor: number;
  #bytes = 0;
  seq = 0;

  /** `rotateBytes` is the size at which the file is renamed and a new one begun. */
  constructor(path: string, format: 'cri' | 'docker', rotateBytes: number, keptFiles: number) {
    mkdirSync(dirname(path), { recursive: true });
    this.#path = path;
    this.#format = format;
    this.#rotateBytes = rotateBytes;
    this.#keptFiles = keptFiles;
    this.#descriptor = openSync(path, 'a');
  }

  /** Appends one record: its lines get one time and, in the first line, the next number. */
  write(stream: Stream, lines: readonly string[]): void {
    this.seq++;
    const time = timestamp();
    const text = lines
      .map((line) => line.replace('seq=?', `seq=${this.seq}`))
      .map((line) =>
        this.#format === 'cri' ? criLines(time, stream, line) : dockerLines(time, stream, line),
      )
      .join('');
    // One write for a record, as container runtimes do for a line: rotation never splits it.
    this.#bytes += writeSync(this.#descriptor, text);
    if (this.#bytes >= this.#rotateBytes) this.#rotate();
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #rotate(): void {
    closeSync(this.#descriptor);
    if (this.#format === 'cri') {
      const stamp = new Date().toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
      let target = `${this.#path}.${stamp}`;
      // Two rotations within a second, as only a demo has.
      for (let suffix = 1; existsSync(target); suffix++) target = `${this.#path}.${stamp}-${suffix}`;
      renameSync(this.#path, target);
      this.#rotated.push(target);
      if (this.#rotated.length > this.#keptFiles) rmSync(this.#rotated.shift()!);
    } else {
      rmSync(`${this.#path}.${this.#keptFiles}`, { force: true });
      for (let index = this.#keptFiles - 1; index >= 0; index--) {
        const from = index === 0 ? this.#path : `${this.#path}.${index}`;
        if (existsSync(from)) renameSync(from, `${this.#path}.${index + 1}`);
      }
    }
    this.#descriptor = openSync(this.#path, 'a');
    this.#bytes = 0;
  }
}

/** The directory of a container's log, and docker's own description of it that carries the name. */
export function dockerContainerPath(root: string, id: string, name: string): string {
  const directory = join(root, 'var/lib/docker/containers', id);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'config.v2.json'), JSON.stringify({ ID: id, Name: `/${name}` }));
  return join(directory, `${id}-json.log`);
}

export function podContainerPath(
  root: string,
  namespace: string,
  pod: string,
  uid: string,
  container: string,
): string {
  return join(root, 'var/log/pods', `${namespace}_${pod}_${uid}`, container, '0.log');
}

function criLines(time: string, stream: Stream, line: string): string {
  let text = '';
  for (let start = 0; ; start += runtimeLineBytesMax) {
    const piece = line.slice(start, start + runtimeLineBytesMax);
    const isLast = start + runtimeLineBytesMax >= line.length;
    text += `${time} ${stream} ${isLast ? 'F' : 'P'} ${piece}\n`;
    if (isLast) return text;
  }
}

function dockerLines(time: string, stream: Stream, line: string): string {
  let text = '';
  for (let start = 0; ; start += runtimeLineBytesMax) {
    const piece = line.slice(start, start + runtimeLineBytesMax);
    const isLast = start + runtimeLineBytesMax >= line.length;
    text += `${JSON.stringify({ log: piece + (isLast ? '\n' : ''), stream, time })}\n`;
    if (isLast) return text;
  }
}

/** RFC 3339 with nanoseconds, as both runtimes write. */
function timestamp(): string {
  const nanoseconds = Number(process.hrtime.bigint() % 1_000_000n);
  return new Date().toISOString().replace('Z', `${String(nanoseconds).padStart(6, '0')}Z`);
}

/**
 * Starts `sonde` the way a person does, as a process of its own, on free ports and a data directory of its own.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

export interface SondeProcess {
  readonly child: ChildProcess;
  /** Base URL of the query API; '' for roles without one. */
  readonly apiUrl: string;
  /** Base URL of OTLP/HTTP and remote write; '' for roles without one. */
  readonly otlpUrl: string;
  readonly grpcAddress: string;
  /** All that was printed so far. */
  output(): string;
  /** Sends the signal and resolves with the exit code (null where the signal ended it). */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

const root = join(import.meta.dirname, '../..');
const startTimeoutMs = 60_000;

/** Runs a command to its end; for starts that are expected to fail, and for --print-config. */
export async function runSonde(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, ['main.ts', ...args], {
    cwd: root,
    env: { ...process.env, ...environment },
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output: Buffer.concat(chunks).toString() };
}

/** Resolves when the role prints that it runs; rejects with its output when it ends before. */
export async function startSonde(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  user: { readonly uid?: number; readonly gid?: number } = {},
): Promise<SondeProcess> {
  const child = spawn(process.execPath, ['main.ts', ...args], {
    cwd: root,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...user,
  });
  let text = '';
  const closed = once(child, 'close') as Promise<[number | null]>;
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  closed.finally(() => process.removeListener('exit', kill)).catch(() => undefined);
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`sonde did not start in time:\n${text}`)),
      startTimeoutMs,
    );
    const read = (chunk: Buffer): void => {
      text += chunk.toString();
      if (/^sonde \S+ \w+ is running\n(.*\n)*?.*ready in/m.test(text)) {
        clearTimeout(timer);
        resolve();
      }
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    closed.then(
      ([code]) => {
        clearTimeout(timer);
        reject(new Error(`sonde ended with ${code}:\n${text}`));
      },
      (error: unknown) => reject(error as Error),
    );
  });
  return {
    child,
    apiUrl: /answers +(http:\/\/\S+?)\/?\s/.exec(text)?.[1] ?? '',
    otlpUrl: /receives +OTLP\/HTTP and remote write on (http:\/\/[^\s,]+)/.exec(text)?.[1] ?? '',
    grpcAddress: /OTLP\/gRPC on (\S+)/.exec(text)?.[1] ?? '',
    output: () => text,
    async end(signal) {
      child.kill(signal);
      const [code] = await closed;
      return code;
    },
  };
}

/**
 * Programs of Debian packages that tests run as the real counterpart. Without them a test is skipped with a line that
 * says so; in CI, where `.ci/run` installs them, it fails instead.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:net';

/** Returns whether the program can be run, by asking for its version. Throws in CI where it cannot. */
export function hasTool(program: string, debianPackage: string, versionFlag = '--version'): boolean {
  const found = spawnSync(program, [versionFlag]).status === 0;
  if (found) return true;
  const fact = `${program} is not on this machine: apt-get install ${debianPackage}`;
  if (process.env.CI === 'true') throw new Error(fact);
  console.warn(`SKIPPED: ${fact}`);
  return false;
}

export interface RunningTool extends AsyncDisposable {
  readonly child: ChildProcess;
  output(): string;
}

/** Starts a program that is ended when the block is left. */
export function startTool(program: string, args: readonly string[], cwd: string): RunningTool {
  const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  const read = (chunk: Buffer): void => {
    text = (text + chunk.toString()).slice(-100_000);
  };
  child.stdout.on('data', read);
  child.stderr.on('data', read);
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  return {
    child,
    output: () => text,
    async [Symbol.asyncDispose]() {
      process.removeListener('exit', kill);
      child.kill('SIGTERM');
      await closed;
    },
  };
}

/** Returns a port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

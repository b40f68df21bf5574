/**
 * Goal: whatever happens to files and agent, in whatever order, no line lands twice, and for each file lines written = lines
 * landed + lines reported as lost.
 * Method: an interpreter of random file and process actions against the real agent. A crash is played by cutting the
 * agent off from its sink at once, and starting the next one from a copy of the checkpoint as it was on disk then.
 * Lines have one length, so that lost bytes are lost lines. The seed is in the test's name.
 */

import { createHash } from 'node:crypto';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Checkpoint } from '#agent/logs/checkpoint/checkpoint.ts';
import { loadCheckpoint } from '#agent/logs/checkpoint/checkpoint-file.ts';
import { journalPath } from '#agent/logs/checkpoint/checkpoint-journal.ts';
import type { LogAgent } from '#agent/logs/log-agent.ts';
import type { FileOrigin } from '#agent/logs/tail/log-source.ts';
import type { Delivery, Envelope } from '#wire/envelope.ts';
import { startAgent, temporaryDirectory, until } from './log-agent-run.ts';
import { criLine } from './log-text.ts';
import { never, RecordingTransport } from './recording-transport.ts';

const actionCount = 40;
const names = ['cri', 'plain'] as const;
type Name = (typeof names)[number];

/** mulberry32 */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

function originOf(version: number, rateLimitBytes: number): FileOrigin {
  return {
    attributes: { version },
    rules: { isCollected: true, multiline: version % 2 === 0 ? 'auto' : 'off', parse: '', rateLimitBytes },
  };
}

class ModelOrigins {
  readonly #origin: () => FileOrigin;
  readonly #revision: () => number;

  constructor(origin: () => FileOrigin, revision: () => number) {
    this.#origin = origin;
    this.#revision = revision;
  }

  get revision(): number {
    return this.#revision();
  }

  find(): FileOrigin {
    return this.#origin();
  }

  sources(): readonly [] {
    return [];
  }
}

class World {
  readonly directory = temporaryDirectory();
  readonly sink = new RecordingTransport();
  readonly random: (below: number) => number;
  readonly written: string[] = [];
  /** Lines of each file that agents before this one reported as lost, surely and perhaps. */
  readonly lostLines: Record<Name, number> = { cri: 0, plain: 0 };
  readonly doubtfulLines: Record<Name, number> = { cri: 0, plain: 0 };
  agent: LogAgent | undefined;
  #isCutOff = { value: false };
  #isHanging = true;
  #hanging: (() => void)[] = [];
  #rotationCount = 0;
  #agentCount = 0;
  #origin: FileOrigin = originOf(0, 0);
  /** Rises with each change of what is known of the writers. */
  #revision = 0;

  constructor(seed: number) {
    this.random = randomFrom(seed);
  }

  path(name: Name): string {
    return join(this.directory, `${name}.log`);
  }

  checkpointPath(): string {
    return join(this.directory, `state-${this.#agentCount}`, 'logs.json');
  }

  start(): void {
    const before = this.checkpointPath();
    this.#agentCount++;
    if (existsSync(before)) copyCheckpoint(before, this.checkpointPath());
    const isCutOff = { value: false };
    this.#isCutOff = isCutOff;
    const transport = new RecordingTransport();
    transport.intercept = (envelope, abort) => this.#deliver(envelope, abort, isCutOff);
    const origins = new ModelOrigins(
      () => this.#origin,
      () => this.#revision,
    );
    const { agent } = startAgent(this.directory, {
      origins: () => origins,
      transport,
      checkpointPath: this.checkpointPath(),
      batchBytesMax: 2000,
      lineBytesMax: 500,
      flushIntervalMs: 5,
      joinWaitMs: 10,
    });
    this.agent = agent;
  }

  /** The sink lands the batch soon, or just before the answer goes missing, or not before the agent is gone. */
  async #deliver(envelope: Envelope, abort: AbortSignal, isCutOff: { value: boolean }): Promise<Delivery> {
    const fate = this.random(20);
    await delay(this.random(3));
    if (fate === 0) await this.#hang(abort);
    if (isCutOff.value) return (await never(envelope, abort))!;
    const isPartlyGone = this.agent?.status().lost.some(({ reason }) => reason === 'deleted_before_resend');
    this.sink.land(envelope, isPartlyGone);
    if (fate === 1) await this.#hang(abort);
    await delay(this.random(3));
    if (isCutOff.value) return (await never(envelope, abort))!;
    return { rejected: 0, reason: '' };
  }

  #hang(abort: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (!this.#isHanging) resolve();
      if (abort.aborted) reject(abort.reason);
      this.#hanging.push(resolve);
      abort.addEventListener('abort', () => reject(abort.reason));
    });
  }

  /** Lets the batches go that hang, and all to come. */
  release(): void {
    this.#isHanging = false;
    for (const resolve of this.#hanging.splice(0)) resolve();
  }

  async stop(): Promise<void> {
    const { agent } = this;
    if (agent === undefined) return;
    await agent.stop({ drainMs: this.random(2) * 100 });
    this.#collectLosses(agent);
  }

  /** From this moment on nothing that the agent does counts, but what is on disk. */
  async crash(): Promise<void> {
    const { agent } = this;
    if (agent === undefined) return;
    this.#isCutOff.value = true;
    const path = this.checkpointPath();
    this.#agentCount++;
    if (existsSync(path)) copyCheckpoint(path, this.checkpointPath());
    this.#collectLosses(agent, true);
    await agent.stop({ drainMs: 0 });
  }

  #collectLosses(agent: LogAgent, isCrash = false): void {
    this.agent = undefined;
    for (const { reason, path, bytes } of agent.status().lost) {
      const name = names.find((known) => path === this.path(known))!;
      const lines = bytes / this.line(name, 0).length;
      expect(Number.isInteger(lines), `${bytes} bytes of ${path} lost as ${reason}`).toBe(true);
      // What a limit dropped is read again when no checkpoint says so.
      const isDoubtful = reason === 'deleted_before_resend' || (isCrash && reason === 'rate_limited');
      (isDoubtful ? this.doubtfulLines : this.lostLines)[name] += lines;
    }
  }

  line(name: Name, number: number): string {
    const body = `${name}-${String(number).padStart(8, '0')}`;
    return name === 'cri' ? criLine(body) : `${body}\n`;
  }

  write(name: Name): void {
    let text = '';
    for (let count = this.random(40); count >= 0; count--) {
      text += this.line(name, this.written.length);
      this.written.push(this.line(name, this.written.length).trimEnd().split(' ').at(-1)!);
    }
    appendFileSync(this.path(name), text);
  }

  /** The agent knows the file at the path, with all its bytes, and would know it again after a crash. */
  async seen(name: Name): Promise<boolean> {
    const path = this.path(name);
    const { agent } = this;
    if (agent === undefined || !existsSync(path)) return false;
    const { ino, size } = statSync(path);
    if (size === 0) return false;
    // A rotated file goes by the same path until the first look tells the two apart.
    await agent.firstLook;
    await until(`${name} is seen`, () => {
      const content = readFileSync(path);
      const isKnown = this.#checkpointFiles().some(
        ({ inode, fingerprint: { bytes, sha256 } }) =>
          inode === String(ino) &&
          createHash('sha256').update(content.subarray(0, bytes)).digest('hex') === sha256,
      );
      return (
        isKnown &&
        agent.status().files.some((file) => file.isPresent && file.path === path && file.size === size)
      );
    });
    return true;
  }

  #checkpointFiles(): Checkpoint['files'] {
    const path = this.checkpointPath();
    return existsSync(path) ? loadCheckpoint(path)!.files : [];
  }

  async rotate(name: Name): Promise<void> {
    if (await this.seen(name)) renameSync(this.path(name), `${this.path(name)}.${++this.#rotationCount}`);
  }

  /** A whole file comes and goes before anybody can look. */
  async rotateTwice(name: Name): Promise<void> {
    if (!(await this.seen(name))) return;
    for (let count = 0; count < 2; count++) {
      renameSync(this.path(name), `${this.path(name)}.${++this.#rotationCount}`);
      this.write(name);
    }
  }

  /** Only where the checkpoint knows the path: what was there before the first look at a path is not read. */
  rotateAway(name: Name): void {
    if (!existsSync(this.path(name)) || statSync(this.path(name)).size === 0) return;
    if (!this.#checkpointKnows(this.path(name))) return;
    renameSync(this.path(name), `${this.path(name)}.${++this.#rotationCount}`);
    if (this.random(2) === 0) this.write(name);
  }

  #checkpointKnows(path: string): boolean {
    const checkpoint = this.checkpointPath();
    if (!existsSync(checkpoint)) return false;
    const { files, history } = loadCheckpoint(checkpoint)!;
    return [...files, ...history].some((file) => file.path === path);
  }

  async copytruncate(name: Name): Promise<void> {
    if (!(await this.seen(name))) return;
    copyFileSync(this.path(name), `${this.path(name)}.${++this.#rotationCount}`);
    await this.#truncate(name);
  }

  async truncate(name: Name): Promise<void> {
    if (await this.seen(name)) await this.#truncate(name);
  }

  /** In place, to other lines of the same size. */
  async rewrite(name: Name): Promise<void> {
    if (!(await this.seen(name))) return;
    // Another tick of the kernel: a file's time is no finer.
    await delay(15);
    const path = this.path(name);
    const lines = statSync(path).size / this.line(name, 0).length;
    let text = '';
    for (let count = 0; count < lines; count++) {
      text += this.line(name, this.written.length);
      this.written.push(this.line(name, this.written.length).trimEnd().split(' ').at(-1)!);
    }
    await this.#change(name, () => writeFileSync(path, text));
  }

  /** What is known of the writers changes, and how fast they may write. */
  describe(): void {
    this.#revision++;
    this.#origin = originOf(this.#revision, this.random(3) === 0 ? 20 : 0);
  }

  #truncate(name: Name): Promise<void> {
    return this.#change(name, () => truncateSync(this.path(name), 0));
  }

  async #change(name: Name, change: () => void): Promise<void> {
    const { ino, size } = statSync(this.path(name));
    const inode = String(ino);
    // Batches under way keep what the inode held before earlier truncations.
    const known = this.#checkpointFiles().findLast((file) => file.inode === inode)!;
    const agent = this.agent!;
    const before = agent.counters().filesTruncated;
    change();
    await until('the truncation is noticed', () => agent.counters().filesTruncated > before);
    // A second truncation before the first is noticed cannot be told from it: its bytes would be lost unseen. And a
    // crash before it is noted on disk would count its bytes again, or not at all where no checkpoint knew of them.
    await until('the truncation is noted', () =>
      this.#checkpointFiles().every(
        (file) =>
          file.id !== known.id || file.inode !== inode || (file.offset === file.size && file.size >= size),
      ),
    );
  }

  async delete(name: Name): Promise<void> {
    if (!(await this.seen(name))) return;
    const { ino, size } = statSync(this.path(name));
    unlinkSync(this.path(name));
    const agent = this.agent!;
    // A crash before the end is read would lose bytes that no checkpoint knew of.
    this.release();
    await until('the deleted file is read', () =>
      agent
        .status()
        .files.every(
          ({ path, isPresent, offset, size }) => offset === size || (isPresent && path !== this.path(name)),
        ),
    );
    // And as long as the checkpoint does not say that they were read, nobody knows of them after a crash.
    await until('the end is noted', () =>
      this.#checkpointFiles().every(({ inode, offset }) => inode !== String(ino) || offset >= size),
    );
    this.#isHanging = true;
  }

  async act(): Promise<void> {
    const name = names[this.random(names.length)];
    const action = this.random(23);
    if (this.agent === undefined && action > 8 && this.random(3) === 0) return this.rotateAway(name);
    if (this.agent === undefined && action > 8) this.start();
    if (action <= 8) this.write(name);
    else if (action <= 10) await delay(this.random(30));
    else if (action === 11) await this.rotate(name);
    else if (action === 12) await this.rotateTwice(name);
    else if (action === 13) await this.copytruncate(name);
    else if (action === 14) await this.truncate(name);
    else if (action === 15) await this.delete(name);
    else if (action <= 17) await this.stop();
    else if (action === 20) await this.rewrite(name);
    else if (action > 20) this.describe();
    else await this.crash();
  }
}

/** The snapshot first: where the agent writes a new one meanwhile, its journal is emptied afterwards only. */
function copyCheckpoint(from: string, to: string): void {
  const directory = join(to, '..');
  if (!existsSync(directory)) mkdirSync(directory);
  copyFileSync(from, to);
  if (existsSync(journalPath(from))) copyFileSync(journalPath(from), journalPath(to));
}

/** The last are those that found a fault once. `MODEL_SEEDS=100-1600` tries others. */
const seeds = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 8220, 9053, 20093, 20104, 20109, 20124, 20555];

function seedsToRun(wanted = process.env.MODEL_SEEDS): number[] {
  if (wanted === undefined) return seeds;
  const [first, last = first] = wanted.split('-').map(Number);
  return Array.from({ length: last! - first! + 1 }, (_, index) => first! + index);
}

test.each(seedsToRun())('random life of files and agents, seed %i', async (seed) => {
  const world = new World(seed);
  for (let count = 0; count < actionCount; count++) await world.act();
  world.release();
  if (world.agent === undefined) world.start();
  await world.agent!.stop({ drainMs: 5000 });
  await world.stop();
  // Batches whose answer went missing are still pending: one more start settles them.
  for (let count = 0; count < 50 && isPending(world.checkpointPath()); count++) {
    world.start();
    await world.agent!.stop({ drainMs: 300 });
    await world.stop();
  }
  expect(isPending(world.checkpointPath())).toBe(false);
  const landed = world.sink.bodies();
  expect(new Set(landed).size, 'lines landed once').toBe(landed.length);
  for (const name of names) {
    const written = countOf(world.written, name);
    const missing = written - countOf(landed, name) - world.lostLines[name];
    expect(missing, `of ${written} lines of ${name}`).toBeGreaterThanOrEqual(0);
    expect(missing, `of ${written} lines of ${name}`).toBeLessThanOrEqual(world.doubtfulLines[name]);
  }
  expect(world.written.length).toBeGreaterThan(0);
});

function countOf(bodies: readonly string[], name: Name): number {
  return bodies.filter((body) => body.startsWith(`${name}-`)).length;
}

function isPending(path: string): boolean {
  return loadCheckpoint(path)!.pending.length > 0;
}

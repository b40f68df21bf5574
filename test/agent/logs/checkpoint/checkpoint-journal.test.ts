/**
 * Goal: snapshot and journal together are the state of the last save, whatever a crash leaves of either.
 * Method: random lives of a state against its checkpoint as it is loaded from real files; what crashes leave is made of copies
 * of those files, cut at every byte.
 */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { FileCheckpoint } from '#agent/logs/checkpoint/checkpoint.ts';
import {
  type AgentState,
  CheckpointChanges,
  type FileState,
} from '#agent/logs/checkpoint/checkpoint-changes.ts';
import { CheckpointFile, loadCheckpoint } from '#agent/logs/checkpoint/checkpoint-file.ts';
import { journalPath } from '#agent/logs/checkpoint/checkpoint-journal.ts';
import { ConfigError } from '#model/errors.ts';
import { temporaryDirectory } from '../log-agent-run.ts';

function fileState(id: number, change: Partial<FileCheckpoint> = {}): FileState {
  const entry: FileCheckpoint = {
    id,
    path: `/var/log/${id}.log`,
    device: '1',
    inode: String(id),
    fingerprint: { bytes: 0, sha256: '' },
    format: null,
    multiline: 'auto',
    parse: '',
    isCollected: true,
    resource: {},
    offset: 0,
    size: 0,
    mtimeMs: 0,
    ...change,
  };
  return { ...entry, base: entry.base, description: entry.resource, checkpoint: () => entry };
}

class TestState {
  state: AgentState = {
    agentId: 'a',
    nextSequence: 1,
    nextFileId: 1,
    lookedAtMs: 0,
    files: [],
    history: [],
    sought: [],
    pending: [],
  };
  readonly path = join(temporaryDirectory(), 'logs.json');
  readonly changes = new CheckpointChanges(() => this.state);
  readonly file = new CheckpointFile(this.path, this.changes);

  set(change: Partial<AgentState>): void {
    this.state = { ...this.state, ...change };
  }

  /** The state as loadCheckpoint returns it. */
  expected(): object {
    return {
      ...this.state,
      files: this.state.files.map((file) => file.checkpoint()),
      version: 3,
      journal: expect.any(String),
    };
  }

  async savesAs(): Promise<void> {
    await this.file.save();
    expect(loadCheckpoint(this.path)).toEqual(this.expected());
  }
}

const filePart = fc.record({
  offset: fc.nat(9),
  size: fc.nat(9),
  inode: fc.constantFrom('1', '2'),
  fingerprint: fc.constantFrom({ bytes: 1, sha256: 'a' }, { bytes: 2, sha256: 'b' }),
  base: fc.constantFrom('/srv', '/run'),
});
const statePart = fc.record({
  files: fc.dictionary(fc.constantFrom('1', '2', '3'), filePart),
  history: fc.array(fc.nat(5), { maxLength: 4 }),
  sought: fc.dictionary(fc.constantFrom('/a', '/b'), fc.nat(2)),
  pending: fc.dictionary(fc.constantFrom('p', 'q'), fc.constantFrom('auto', 'off')),
  isRestarted: fc.boolean(),
});

test('what is loaded is what was saved last, whatever changed', async () => {
  const read = Array.from({ length: 6 }, (_, id) => {
    const { path, device, inode, fingerprint, size, mtimeMs } = fileState(id + 1);
    return { path, device, inode, fingerprint, size, mtimeMs };
  });
  await fc.assert(
    fc.asyncProperty(fc.array(statePart, { maxLength: 12 }), async (parts) => {
      const world = new TestState();
      let { file } = world;
      const ended: CheckpointFile[] = [];
      for (const [index, part] of parts.entries()) {
        const named = Object.entries(part.pending).map(([batchId, multiline]) => ({
          batchId,
          tenant: 't',
          key: 'k',
          lineBytesMax: 1,
          ranges: [{ fileId: 9, from: 0, to: 1, multiline }],
        }));
        world.set({
          nextSequence: index,
          lookedAtMs: index,
          files: [
            ...Object.entries(part.files).map(([id, change]) => fileState(Number(id), change)),
            fileState(9),
          ],
          history: [...new Set(part.history)].map((id) => read[id]!),
          sought: Object.entries(part.sought).map(([path, sinceMs]) => ({ path, sinceMs })),
          pending: named,
        });
        if (part.isRestarted) {
          ended.push(file);
          file = new CheckpointFile(world.path, new CheckpointChanges(() => world.state));
        }
        await file.save();
        const loaded = loadCheckpoint(world.path)!;
        // A file that comes back is listed behind those that stayed.
        const byId = (a: FileCheckpoint, b: FileCheckpoint) => a.id - b.id;
        const byPath = <T extends { path: string }>(a: T, b: T) => (a.path < b.path ? -1 : 1);
        loaded.files.sort(byId);
        loaded.sought.sort(byPath);
        loaded.history.sort(byPath);
        loaded.pending.sort((a, b) => (a.batchId < b.batchId ? -1 : 1));
        const files = world.state.files.map((state) => state.checkpoint()).toSorted(byId);
        const { sought, history, pending } = world.state;
        expect(loaded).toEqual({
          ...world.state,
          files,
          sought: sought.toSorted(byPath),
          history: history.toSorted(byPath),
          pending: pending.toSorted((a, b) => (a.batchId < b.batchId ? -1 : 1)),
          version: 3,
          journal: expect.any(String),
        });
      }
      for (const old of [...ended, file]) await old.finish();
    }),
    { numRuns: 60 },
  );
});

test('a journal that a crash has cut anywhere has the records before the cut', async () => {
  const world = new TestState();
  world.set({ files: [fileState(1)] });
  await world.file.save();
  const ends = [0];
  for (let sequence = 2; sequence <= 4; sequence++) {
    world.set({ nextSequence: sequence, files: [fileState(1, { offset: sequence, size: sequence })] });
    await world.file.save();
    ends.push(statSync(journalPath(world.path)).size);
  }
  const whole = readFileSync(journalPath(world.path));
  const copy = join(temporaryDirectory(), 'logs.json');
  writeFileSync(copy, readFileSync(world.path));
  for (let cut = 0; cut <= whole.length; cut++) {
    writeFileSync(journalPath(copy), whole.subarray(0, cut));
    const records = ends.filter((end) => end <= cut).length - 1;
    expect(loadCheckpoint(copy)!.nextSequence, `cut at ${cut}`).toBe(records === 0 ? 1 : records + 1);
    // A file system may have given the room for what never came.
    writeFileSync(journalPath(copy), Buffer.concat([whole.subarray(0, cut), Buffer.alloc(50)]));
    expect(loadCheckpoint(copy)!.nextSequence).toBe(records === 0 ? 1 : records + 1);
  }
  await world.file.finish();
});

test('a record that is damaged with others behind it stops the start with what to do', async () => {
  const world = new TestState();
  await world.file.save();
  for (let sequence = 2; sequence <= 4; sequence++) {
    world.set({ nextSequence: sequence });
    await world.file.save();
  }
  const bytes = readFileSync(journalPath(world.path));
  const second = bytes.indexOf(10) + 1;
  bytes[second + 20] = bytes[second + 20]! ^ 1;
  writeFileSync(journalPath(world.path), bytes);
  expect(() => loadCheckpoint(world.path)).toThrow(ConfigError);
  expect(() => loadCheckpoint(world.path)).toThrow(
    new RegExp(`logs.json.journal is broken: record 2 at byte ${second} is damaged; restore it`),
  );
  await world.file.finish();
});

test("what an older snapshot's journal has left is not read with a newer snapshot", async () => {
  const world = new TestState();
  await world.file.save();
  world.set({ nextSequence: 2 });
  await world.file.save();
  const older = readFileSync(journalPath(world.path));
  world.set({ nextSequence: 3 });
  const next = new CheckpointFile(world.path, new CheckpointChanges(() => world.state));
  await next.save();
  // As a crash between the snapshot and the emptying of the journal leaves it.
  writeFileSync(journalPath(world.path), older);
  expect(loadCheckpoint(world.path)!.nextSequence).toBe(3);
  await next.finish();
  await world.file.finish();
});

test('the journal stays bounded: past its bound all is written anew', async () => {
  const world = new TestState();
  const files = Array.from({ length: 500 }, (_, id) => fileState(id + 1));
  world.set({ files });
  await world.file.save();
  let largest = 0;
  for (let round = 1; round <= 40; round++) {
    world.set({
      files: files.map(({ id }) => fileState(id, { offset: round, path: `/${round}`.repeat(20) })),
    });
    await world.savesAs();
    largest = Math.max(largest, statSync(journalPath(world.path)).size);
  }
  expect(largest).toBeGreaterThan(256 * 1024);
  expect(largest).toBeLessThan(768 * 1024);
  await world.file.finish();
});

test('an append that failed is followed by a snapshot, which has what the journal may lack', async () => {
  const world = new TestState();
  let isRefused = false;
  const file = new CheckpointFile(world.path, {
    snapshot: (journal) => world.changes.snapshot(journal),
    // As where the disk is full: what was asked for is noted as written, and is not.
    changes: () => {
      const text = world.changes.changes();
      if (isRefused) throw new Error('refused');
      return text;
    },
  });
  await file.save();
  world.set({ nextSequence: 2 });
  isRefused = true;
  await expect(file.save()).rejects.toThrow('refused');
  isRefused = false;
  await file.save();
  expect(loadCheckpoint(world.path)).toEqual(world.expected());
  await file.finish();
});

test('what is finished is whole in the snapshot, and has no journal', async () => {
  const world = new TestState();
  await world.file.save();
  world.set({ nextSequence: 2 });
  await world.file.finish();
  expect(statSync(journalPath(world.path), { throwIfNoEntry: false })).toBeUndefined();
  expect(loadCheckpoint(world.path)).toEqual(world.expected());
});

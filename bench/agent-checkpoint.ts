/**
 * `node bench/agent-checkpoint.ts [--files 10000] [--batches 200] [--touched 200]`: what noting a batch in the log agent's
 * checkpoint costs, with the journal, and with the whole state written each time. CPU is that of this process, with its threads.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { FileCheckpoint } from '#agent/logs/checkpoint/checkpoint.ts';
import { CheckpointChanges, type FileState } from '#agent/logs/checkpoint/checkpoint-changes.ts';
import { CheckpointFile } from '#agent/logs/checkpoint/checkpoint-file.ts';

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '10000' },
    batches: { type: 'string', default: '200' },
    touched: { type: 'string', default: '200' },
  },
});
const [files, batches, touched] = [values.files, values.batches, values.touched].map(Number) as [
  number,
  number,
  number,
];
const description = {};
const resource = {
  'service.name': 'web',
  'k8s.namespace.name': 'shop',
  'k8s.pod.uid': '0c2e7f1e-6f0b-4a53-9a35-5d6c0d6f5b11',
  'k8s.container.name': 'web',
  'log.iostream': 'stdout',
};

function fileState(id: number): FileState & { offset: number; size: number; mtimeMs: number } {
  const file = {
    id,
    path: `/var/log/pods/shop_pod-${id}_0c2e7f1e-6f0b-4a53-9a35-5d6c0d6f5b11/web/0.log`,
    device: '65024',
    inode: String(10_000_000 + id),
    fingerprint: { bytes: 1024, sha256: 'a'.repeat(64) },
    format: 'cri' as const,
    description,
    base: undefined,
    offset: 0,
    size: 0,
    mtimeMs: 1_767_225_600_000,
    checkpoint(): FileCheckpoint {
      const { path, device, inode, fingerprint, format, offset, size, mtimeMs } = file;
      const rules = { multiline: 'auto', parse: '', isCollected: true };
      return { id, path, device, inode, fingerprint, format, ...rules, resource, offset, size, mtimeMs };
    },
  };
  return file;
}

async function measure(name: string, isWhole: boolean): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'sonde-bench-checkpoint-'));
  const path = join(directory, 'checkpoint.json');
  const states = Array.from({ length: files }, (_, id) => fileState(id + 1));
  let sequence = 0;
  const changes = new CheckpointChanges(() => ({
    agentId: 'a',
    nextSequence: sequence,
    nextFileId: files + 1,
    lookedAtMs: sequence,
    files: states,
    history: [],
    sought: [],
    pending: [
      {
        batchId: `a-${sequence}`,
        tenant: 'default',
        key: 'k',
        lineBytesMax: 262_144,
        ranges: batchFiles().map(({ id, offset, size }) => ({ fileId: id, from: offset, to: size })),
      },
    ],
  }));
  const batchFiles = () =>
    Array.from({ length: touched }, (_, index) => states[(sequence * touched + index) % files]!);
  let file = new CheckpointFile(path, changes);
  await file.save();
  const before = process.cpuUsage();
  for (sequence = 1; sequence <= batches; sequence++) {
    for (const state of batchFiles()) {
      state.offset = state.size;
      state.size += 5000;
      state.mtimeMs += 500;
    }
    if (isWhole) {
      await file.finish();
      file = new CheckpointFile(path, changes);
    } else await file.save();
  }
  const { user, system } = process.cpuUsage(before);
  const snapshotMb = statSync(path).size / 1e6;
  await file.finish();
  console.log(
    `${name.padEnd(28)} ${((user + system) / 1000 / batches).toFixed(2)} ms of CPU a batch (${files} files, ${touched} of them in each batch, snapshot ${snapshotMb.toFixed(1)} MB)`,
  );
  rmSync(directory, { recursive: true });
}

await measure('the whole state each time', true);
await measure('with the journal', false);

/**
 * piscina's entry: what a thread keeps between tasks, and what it answers. It is started with the TranscoderOptions that
 * the pool has as its workerData. Blocks' memory is moved, not copied, and comes back by `recycle`.
 */
import { threadId } from 'node:worker_threads';
import { move, transferableSymbol, valueSymbol, workerData } from 'piscina';
import type { Family, LandedIn, OpenBlocks, RunRequest } from '#collector/run.ts';
import { freeBytes } from '#model/free-bytes.ts';
import type { NativeBlock } from '#store/store.ts';
import { columnMemory } from './buffer-pool.ts';
import { type TranscodeContext, Transcoder } from './transcoder.ts';
import { type TranscoderOptions, transcoderOptionsDefault } from './transcoder-options.ts';

/** Pushed requests and Kafka runs are never in the same open blocks. */
export type Slot = 'pushed' | 'kafka';

/** Request buffers of `append` should be in run()'s transferList, and so should those of `recycle`. */
export type WorkerTask =
  | {
      readonly kind: 'append';
      readonly slot: Slot;
      readonly requests: readonly RunRequest[];
      readonly context: TranscodeContext;
    }
  | {
      readonly kind: 'again';
      readonly slot: Slot;
      readonly family: Family;
      readonly landed: ReadonlyMap<string, LandedIn>;
      readonly context: TranscodeContext;
    }
  | { readonly kind: 'take' | 'discard'; readonly slot: Slot; readonly family: Family }
  | { readonly kind: 'recycle'; readonly buffers: readonly ArrayBuffer[] }
  | { readonly kind: 'trim' };

/** A thread that took the place of one that died has another id, and none of its open blocks. */
export interface WorkerReply {
  readonly threadId: number;
  readonly open?: OpenBlocks;
  readonly blocks?: readonly NativeBlock[];
  /** Requests in the blocks that were taken. */
  readonly requestCount?: number;
}

const options = (workerData as TranscoderOptions | null) ?? transcoderOptionsDefault;
const transcoders = new Map<Slot, Transcoder>();

function transcoderOf(slot: Slot): Transcoder {
  const transcoder = transcoders.get(slot) ?? new Transcoder(options);
  transcoders.set(slot, transcoder);
  return transcoder;
}

export default function work(task: WorkerTask): unknown {
  switch (task.kind) {
    case 'append': {
      const open = transcoderOf(task.slot).append(task.requests, task.context);
      return move({
        // Requests that wait for totals, or for blocks of their own, go back to whoever sends them again.
        [transferableSymbol]: open.outcomes.flatMap(
          ({ deltaWait, misfit }) => (deltaWait ?? misfit)?.bytes.buffer ?? [],
        ),
        [valueSymbol]: { threadId, open } satisfies WorkerReply,
      });
    }
    case 'again':
      return { threadId, open: transcoderOf(task.slot).again(task.family, task.landed, task.context) };
    case 'take': {
      const transcoder = transcoderOf(task.slot);
      const requests = transcoder.requests(task.family);
      const blocks = transcoder.take(task.family);
      for (const { bytes } of requests) freeBytes(bytes);
      const buffers = new Set(blocks.flatMap(({ parts }) => parts.map(({ buffer }) => buffer)));
      return move({
        [transferableSymbol]: [...buffers],
        [valueSymbol]: { threadId, blocks, requestCount: requests.length } satisfies WorkerReply,
      });
    }
    case 'discard': {
      const transcoder = transcoderOf(task.slot);
      const requests = transcoder.requests(task.family);
      transcoder.discard(task.family);
      for (const { bytes } of requests) freeBytes(bytes);
      return { threadId };
    }
    case 'recycle':
      for (const buffer of task.buffers) columnMemory.give(buffer);
      return { threadId };
    case 'trim':
      columnMemory.clear();
      return { threadId };
    default:
      return task satisfies never;
  }
}

/**
 * Kafka runs: each is transcoded, looked up and inserted by itself, so that the same messages under the same token
 * change nothing the second time.
 */
import type { NativeBlock } from '#store/store.ts';
import type { BlockInserter } from './block-inserter.ts';
import { type Family, familyOf, type RequestOutcome, type RunRequest } from './run.ts';
import type { TranscodeContext } from './transcode/transcoder.ts';
import { lostThread, type WorkerLane } from './worker-lane.ts';

interface TranscodedRun {
  readonly blocks: readonly NativeBlock[];
  readonly outcomes: readonly RequestOutcome[];
  readonly epoch: number;
}

/** A batch that comes twice in a run is in the run once: all that is accepted of the second was so before. */
function repeatOf({ accepted }: RequestOutcome): RequestOutcome {
  return { accepted, repeated: accepted, rejections: [], decodeError: undefined };
}

export class RunTranscoder {
  readonly #lane: WorkerLane;
  readonly #inserter: BlockInserter;
  readonly #context: () => TranscodeContext;
  /** Runs of a family use the same columns, one after the other. */
  readonly #turns = new Map<Family, Promise<unknown>>();

  constructor(lane: WorkerLane, inserter: BlockInserter, context: () => TranscodeContext) {
    this.#lane = lane;
    this.#inserter = inserter;
    this.#context = context;
  }

  /** All requests must be of one family. Rejects with UnavailableError. */
  async insert(requests: readonly RunRequest[], token: string): Promise<readonly RequestOutcome[]> {
    const family = familyOf(requests[0].signal);
    const seen = new Set<string>();
    const isSecond = requests.map(({ note }) => note !== undefined && seen.size === seen.add(note).size);
    const once = requests.filter((_, index) => !isSecond[index]);
    const { standings } = this.#inserter;
    const run = standings.begin();
    const bytes = once.reduce((total, request) => total + request.bytes.byteLength, 0);
    this.#lane.openBytes += bytes;
    let isStored = false;
    try {
      const { blocks, outcomes, epoch } = await this.#inTurn(family, () =>
        this.#transcode(family, once, run),
      );
      await this.#inserter.insert(blocks, token, epoch);
      isStored = true;
      this.#lane.recycle(blocks);
      const byNote = new Map(once.map(({ note }, index) => [note, outcomes[index]]));
      const rest = outcomes.values();
      return requests.map(({ note }, index) =>
        isSecond[index] ? repeatOf(byNote.get(note)!) : rest.next().value!,
      );
    } finally {
      this.#lane.openBytes -= bytes;
      standings.end(run, isStored);
    }
  }

  #contextOf(run: number): TranscodeContext {
    return { ...this.#context(), standing: this.#inserter.standings.of(run) };
  }

  async #transcode(family: Family, requests: readonly RunRequest[], run: number): Promise<TranscodedRun> {
    const lane = this.#lane;
    const first = this.#contextOf(run);
    let epoch = first.seriesEpoch;
    try {
      let open = await lane.append('kafka', requests, first);
      // What could not be decoded, or waits for totals, is not in the blocks.
      const isHeld = open.outcomes.map(
        ({ decodeError, deltaWait }) => decodeError === undefined && deltaWait === undefined,
      );
      const notes = requests.flatMap(({ note }) => note ?? []);
      let outcomes = open.outcomes;
      const landed = await this.#inserter.selectLanded(open.touched, notes);
      if (landed.size > 0) {
        const second = this.#contextOf(run);
        epoch = second.seriesEpoch;
        const threadId = open.threadId;
        open = await lane.again('kafka', family, landed, second);
        if (open.threadId !== threadId) throw lostThread();
        const rest = open.outcomes.values();
        outcomes = outcomes.map((outcome, index) => (isHeld[index] ? rest.next().value! : outcome));
      }
      const { threadId, blocks, requestCount } = await lane.take('kafka', family);
      if (threadId !== open.threadId || requestCount !== isHeld.filter(Boolean).length) throw lostThread();
      return { blocks, outcomes, epoch };
    } catch (error) {
      if (family === 'series') this.#inserter.forgetNames();
      await lane.discard('kafka', family).catch(() => undefined);
      throw error;
    }
  }

  async #inTurn<T>(family: Family, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(family) ?? Promise.resolve();
    const turn = before.then(work);
    this.#turns.set(
      family,
      turn.catch(() => undefined),
    );
    return turn;
  }
}

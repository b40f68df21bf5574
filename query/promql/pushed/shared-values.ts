/**
 * Values of expressions that stand in a query more than once, and samples that several selectors ask for: computed and
 * read once, kept until their last use, and within bounds. What is too large is done again in each place.
 */
import { Annotations, type LiftedBuckets, type Place } from '../annotations.ts';
import type { Evaluation } from '../evaluation.ts';
import { requestKey } from '../plan/expression-key.ts';
import type { QueryPlan } from '../plan/query-plan.ts';
import type { SampleRequest, SeriesSamples } from '../source.ts';
import type { StepSeries } from '../step-series.ts';
import type { Expression } from '../tree.ts';
import { pairPositions } from './paired-positions.ts';

/** 9 bytes each. */
const valuesMax = 4_000_000;
/** 16 bytes each. */
const samplesMax = 4_000_000;
/** What a histogram counts for. */
const valuesPerHistogram = 32;

interface Kept<Item> {
  readonly items: readonly Item[];
  readonly size: number;
}

/** Things by key, each until it was asked for as often as it is needed. */
class BoundedShelf<Item> {
  readonly #sizeMax: number;
  readonly #kept = new Map<string, Kept<Item>>();
  readonly #usesLeft: Map<string, number>;
  #size = 0;

  constructor(sizeMax: number, uses: Iterable<readonly [string, number]>) {
    this.#sizeMax = sizeMax;
    this.#usesLeft = new Map(uses);
  }

  /** Counts a use. */
  take(key: string): readonly Item[] | undefined {
    const left = (this.#usesLeft.get(key) ?? 1) - 1;
    this.#usesLeft.set(key, left);
    const kept = this.#kept.get(key);
    if (kept !== undefined && left <= 0) {
      this.#kept.delete(key);
      this.#size -= kept.size;
    }
    return kept?.items;
  }

  drop(key: string): void {
    this.#size -= this.#kept.get(key)?.size ?? 0;
    this.#kept.delete(key);
  }

  /** Passes items on, and keeps them where they are needed again and fit. */
  async *keep(key: string, items: AsyncIterable<Item>, sizeOf: (item: Item) => number): AsyncGenerator<Item> {
    let held: Item[] | undefined = (this.#usesLeft.get(key) ?? 0) > 0 ? [] : undefined;
    let size = 0;
    for await (const item of items) {
      if (held !== undefined) {
        size += sizeOf(item);
        if (this.#size + size <= this.#sizeMax) held.push(item);
        else held = undefined;
      }
      yield item;
    }
    if (held === undefined) return;
    this.#size += size;
    this.#kept.set(key, { items: held, size });
  }
}

/** What was said while a shared value was computed; more than that is said by computing it again. */
const notesMax = 10_000;

interface Note {
  readonly place: Place;
  readonly repeat: (to: Annotations, place: Place) => void;
}

/** Passes annotations on and remembers them. */
class RecordingAnnotations extends Annotations {
  readonly #to: Annotations;
  readonly #notes = new Map<string, Note>();
  /** Those that count how often they were given. */
  readonly #each: Note[] = [];

  constructor(text: string, to: Annotations) {
    super(text);
    this.#to = to;
  }

  get notes(): readonly Note[] {
    return [...this.#notes.values(), ...this.#each];
  }

  get isTooMuch(): boolean {
    return this.#each.length > notesMax || this.#notes.size > notesMax;
  }

  override warn(fact: string, place: Place): void {
    this.#once(`warn ${fact}`, place, (to, there) => to.warn(fact, there));
  }

  override inform(fact: string, place: Place): void {
    this.#once(`inform ${fact}`, place, (to, there) => to.inform(fact, there));
  }

  override warnEach(fact: string, place: Place): void {
    this.#everyTime(place, (to, there) => to.warnEach(fact, there));
  }

  override informLifted(fact: string, place: Place, timeMs: number, lifted: LiftedBuckets): void {
    this.#everyTime(place, (to, there) => to.informLifted(fact, there, timeMs, lifted));
  }

  #once(key: string, place: Place, repeat: Note['repeat']): void {
    repeat(this.#to, place);
    // The last place of a fact is the one that is shown.
    this.#notes.delete(key);
    if (this.#notes.size <= notesMax) this.#notes.set(key, { place, repeat });
  }

  #everyTime(place: Place, repeat: Note['repeat']): void {
    repeat(this.#to, place);
    if (this.#each.length <= notesMax) this.#each.push({ place, repeat });
  }
}

export class SharedValues {
  readonly #values: BoundedShelf<StepSeries>;
  readonly #samples: BoundedShelf<SeriesSamples>;
  /** What was said while a value was computed, and in which place. */
  readonly #notes = new Map<
    string,
    { readonly expression: Expression; readonly annotations: RecordingAnnotations }
  >();

  constructor(plan: QueryPlan) {
    const uses = new Map<string, number>();
    for (const { key } of plan.shared.values()) uses.set(key, (uses.get(key) ?? 0) + 1);
    this.#values = new BoundedShelf(valuesMax, uses);
    this.#samples = new BoundedShelf(samplesMax, plan.sharedRequests);
  }

  /** The series of an expression; annotations are left for each of its places. `compute` runs unless they are kept. */
  async *series(
    evaluation: Evaluation,
    key: string,
    expression: Expression,
    compute: (annotations: Annotations) => AsyncIterable<StepSeries>,
  ): AsyncGenerator<StepSeries> {
    const kept = this.#values.take(key);
    if (kept !== undefined) {
      this.#repeatNotes(evaluation, key, expression);
      yield* kept;
      return;
    }
    const annotations = new RecordingAnnotations(evaluation.text, evaluation.annotations);
    this.#notes.set(key, { expression, annotations });
    yield* this.#values.keep(key, compute(annotations), sizeOfSeries);
    if (annotations.isTooMuch) this.#values.drop(key);
  }

  #repeatNotes(evaluation: Evaluation, key: string, expression: Expression): void {
    const from = this.#notes.get(key);
    const notes = from?.annotations.notes ?? [];
    if (from === undefined || notes.length === 0) return;
    const positions = pairPositions(from.expression, expression);
    for (const { place, repeat } of notes) {
      // Of what is no part of the tree, as far from the expression's start as in the first place.
      const start = positions.get(place.start) ?? place.start - from.expression.start + expression.start;
      repeat(evaluation.annotations, place.isWholeQuery ? place : { start });
    }
  }

  /** What `read` yields for the request, from an earlier read of the same where it was kept. */
  async *samples(
    request: SampleRequest,
    read: () => AsyncIterable<SeriesSamples>,
  ): AsyncGenerator<SeriesSamples> {
    const key = requestKey(request);
    const kept = this.#samples.take(key);
    if (kept !== undefined) yield* kept;
    else yield* this.#samples.keep(key, read(), sizeOfSamples);
  }
}

function sizeOfSeries({ values, histograms }: StepSeries): number {
  return values.length * (histograms === undefined ? 1 : valuesPerHistogram);
}

function sizeOfSamples({ values, histograms, startTimes }: SeriesSamples): number {
  const numbers = values.length * (startTimes === undefined ? 1 : 2);
  return numbers + (histograms?.values.length ?? 0) * valuesPerHistogram;
}

/** Warnings and infos that come with an answer, in Prometheus's words, each once, wherever in the query it came up. */
import { lineColumn } from '../language/text-position.ts';
import { renderG } from './go-float.ts';

/** Prometheus shows at most so many of each kind. */
const shownMax = 10;

/** What was done to classic buckets whose counts fell: the bounds of those that were lifted, and by how much at most. */
export interface LiftedBuckets {
  readonly boundMin: number;
  readonly boundMax: number;
  readonly liftMax: number;
}

interface Lifts extends LiftedBuckets {
  readonly start: number;
  readonly sampleCount: number;
  readonly timeMinMs: number;
  readonly timeMaxMs: number;
}

export interface Place {
  readonly start: number;
  /** The note is about no part of the query: it keeps its place when the part is evaluated in another. */
  readonly isWholeQuery?: true;
}

export class Annotations {
  readonly #text: string;
  /** By their text, where they came up last: Prometheus keeps that position. */
  readonly #warnings = new Map<string, number>();
  readonly #infos = new Map<string, number>();
  readonly #counted = new Map<string, { readonly start: number; readonly count: number }>();
  readonly #lifts = new Map<string, Lifts>();

  constructor(queryText: string) {
    this.#text = queryText;
  }

  warn(fact: string, { start }: Place): void {
    this.#warnings.set(fact, start);
  }

  /** A warning that says how often it was given, if more than once; its place is the first. */
  warnEach(fact: string, { start }: Place): void {
    const before = this.#counted.get(fact);
    this.#counted.set(fact, { start: before?.start ?? start, count: (before?.count ?? 0) + 1 });
  }

  inform(fact: string, { start }: Place): void {
    this.#infos.set(fact, start);
  }

  /** An info that sums up all samples that the fact holds for. */
  informLifted(fact: string, { start }: Place, timeMs: number, lifted: LiftedBuckets): void {
    const before = this.#lifts.get(fact);
    this.#lifts.set(fact, {
      start: before?.start ?? start,
      sampleCount: (before?.sampleCount ?? 0) + 1,
      boundMin: Math.min(before?.boundMin ?? Infinity, lifted.boundMin),
      boundMax: Math.max(before?.boundMax ?? -Infinity, lifted.boundMax),
      liftMax: Math.max(before?.liftMax ?? 0, lifted.liftMax),
      timeMinMs: Math.min(before?.timeMinMs ?? Infinity, timeMs),
      timeMaxMs: Math.max(before?.timeMaxMs ?? -Infinity, timeMs),
    });
  }

  get warnings(): string[] {
    const plain = [...this.#warnings].map(
      ([fact, start]) => `PromQL warning: ${fact}${this.#position(start)}`,
    );
    const counted = [...this.#counted].map(([fact, { start, count }]) => {
      const times = count === 1 ? '' : ` (${count} occurrences)`;
      return `PromQL warning: ${fact}${times}${this.#position(start)}`;
    });
    return shown([...plain, ...counted], 'warning');
  }

  get infos(): string[] {
    const plain = [...this.#infos].map(([fact, start]) => `PromQL info: ${fact}${this.#position(start)}`);
    const lifts = [...this.#lifts].map(
      ([fact, lift]) => `PromQL info: ${fact}${renderLifts(lift)}${this.#position(lift.start)}`,
    );
    return shown([...plain, ...lifts], 'info');
  }

  #position(start: number): string {
    const { line, column } = lineColumn(this.#text, start);
    return ` (${line}:${column})`;
  }
}

function renderLifts({ boundMin, boundMax, liftMax, sampleCount, timeMinMs, timeMaxMs }: Lifts): string {
  const buckets = `from buckets ${renderG(boundMin)} to ${renderG(boundMax)}`;
  const samples = `over ${sampleCount} samples from ${renderSecond(timeMinMs)} to ${renderSecond(timeMaxMs)}`;
  return `, ${buckets}, with a max diff of ${renderG(Number(liftMax.toPrecision(2)), 2)}, ${samples}`;
}

/** The whole second as RFC 3339. */
function renderSecond(timeMs: number): string {
  return new Date(Math.trunc(timeMs / 1000) * 1000).toISOString().replace('.000Z', 'Z');
}

function shown(all: readonly string[], kind: string): string[] {
  if (all.length <= shownMax) return [...all];
  return [...all.slice(0, shownMax), `${all.length - shownMax} more ${kind} annotations omitted`];
}

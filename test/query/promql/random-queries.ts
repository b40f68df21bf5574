/** Random samples and random queries, from a seed. */
import {
  bitsOf,
  dayMs,
  payloadBits,
  type StoredSample,
  staleBits,
} from '../../store/compaction/stored-samples.ts';

/** Mulberry32: numbers from 0 to 1 that depend on the seed alone. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  number(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** From 0 to count - 1. */
  below(count: number): number {
    return Math.floor(this.number() * count);
  }

  chance(probability: number): boolean {
    return this.number() < probability;
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)]!;
  }
}

export const spanHours = 26;
const minuteMs = 60_000;

/** The next value after `value`, and how often odd values come. */
interface Kind {
  readonly next: (dice: Dice, value: number) => number;
  readonly odd: number;
}

const kinds: readonly Kind[] = [
  { next: (dice, value) => (dice.chance(0.01) ? 0 : value + dice.below(50)), odd: 0 },
  { next: (dice, value) => (dice.chance(0.05) ? dice.number() : value + dice.number() * 7), odd: 0.002 },
  { next: (dice) => dice.number() * 1e6 - 5e5, odd: 0.002 },
  { next: (dice) => dice.pick([0, -0, 1, 2, 0.5]), odd: 0 },
  { next: (dice) => dice.below(1000), odd: 0 },
  { next: (dice, value) => value + (dice.chance(0.3) ? 0.1 : 0), odd: 0.01 },
  { next: (dice) => dice.number() * 10 ** dice.below(300), odd: 0.02 },
  { next: (dice) => dice.pick([NaN, NaN, 1, 2]), odd: 0.05 },
];

const odds = [staleBits, payloadBits, bitsOf(NaN), bitsOf(Infinity), bitsOf(-Infinity), staleBits];

/** One series a kind: jitter, gaps, samples on edges, repeats with other values, odd values. */
export function randomSamples(dice: Dice): StoredSample[] {
  const samples: StoredSample[] = [];
  kinds.forEach(({ next, odd }, kind) => {
    let value = 0;
    const from = dice.chance(0.3) ? dice.below(12 * 60) : 0;
    const until = dice.chance(0.3) ? spanHours * 60 - dice.below(12 * 60) : spanHours * 60;
    const phase = dice.below(minuteMs);
    for (let minute = from; minute < until; minute++) {
      if (dice.chance(0.005)) minute += dice.below(40);
      value = next(dice, value);
      const onEdge = dice.chance(0.05);
      const timeMs =
        dayMs + minute * minuteMs + (onEdge ? 0 : phase + dice.below(dice.chance(0.1) ? 900 : 4));
      const bits = dice.chance(odd) ? dice.pick(odds) : bitsOf(value);
      samples.push({ series: kind + 1, timeMs, bits });
      if (dice.chance(0.004)) {
        const again = dice.chance(0.5) ? dice.pick(odds) : bitsOf(dice.below(10));
        samples.push({ series: kind + 1, timeMs, bits: again });
      }
    }
  });
  return samples;
}

export const seriesCount = kinds.length;

export interface RandomQuery {
  readonly query: string;
  readonly startMs: number;
  readonly endMs: number;
  /** 0 for an instant query. */
  readonly stepMs: number;
}

const rangeFunctions = [
  ...['rate', 'increase', 'delta', 'irate', 'idelta', 'resets', 'changes'],
  ...['sum', 'avg', 'min', 'max', 'count', 'present', 'first', 'last', 'stddev'].map(
    (name) => `${name}_over_time`,
  ),
  ...['ts_of_first_over_time', 'ts_of_last_over_time'],
];

/** Those that are equal in the engine. */
const gridFunctions = ['resets', 'changes', 'idelta', 'last_over_time'];
/** Those that cells answer, too. */
const cellFunctions = rangeFunctions.filter((name) => !/^i|changes|stddev/.test(name) || name === 'increase');

export function randomQuery(dice: Dice): RandomQuery {
  const isAligned = dice.chance(0.7);
  const unitMs = isAligned ? 5 * minuteMs : 17_000;
  const startMs = dayMs + dice.below(6 * 12) * 5 * minuteMs + (isAligned ? 0 : dice.below(300_000));
  const isInstant = dice.chance(0.15);
  const stepMs = isInstant ? 0 : unitMs * (1 + dice.below(isAligned ? 24 : 300));
  const lengthMs = dice.below(spanHours * 60) * minuteMs;
  const query = randomVector(dice, isAligned, 0);
  return { query, startMs: isInstant ? startMs + lengthMs : startMs, endMs: startMs + lengthMs, stepMs };
}

function randomVector(dice: Dice, isAligned: boolean, depth: number): string {
  const inner = () => randomVector(dice, isAligned, depth + 1);
  if (dice.chance(0.15)) {
    const by = dice.pick([' ', ' by (k) ', ' by (k, none) ', ' by (s) ']);
    const selector = `m${dice.pick(['', '{s!="7"}', '{k="a"}'])}`;
    const read = dice.chance(0.3)
      ? selector
      : `${dice.pick(gridFunctions)}(${selector}[${dice.pick(['61s', '7m', '1h'])}])`;
    return `${dice.pick(['min', 'max', 'count', 'group'])}${by}(${read})`;
  }
  const shape = depth > 2 ? 0 : dice.below(10);
  if (shape === 1)
    return `${dice.pick(['sum', 'avg', 'min', 'max', 'count', 'group', 'stddev'])}(${inner()})`;
  if (shape === 2)
    return `${dice.pick(['sum', 'max', 'topk'])}${dice.pick([' by (k) ', ' without (s) '])}(${inner()})`.replace(
      /^topk( \w+ \(\w\) )\(/,
      'topk$1(2, ',
    );
  if (shape === 3) {
    const both = inner();
    return `(${both} ${dice.pick(['+', '/', 'or', 'and', '>', '=='])} ${dice.chance(0.6) ? both : inner()})`;
  }
  if (shape === 4) return `${dice.pick(['abs', 'ceil', '-'])}(${inner()})`;
  if (shape === 5) return `(${inner()} * 2)`;
  if (shape === 6 && depth > 0) {
    return `${dice.pick(['max', 'sum', 'last', 'count'])}_over_time(${inner()}[1h:${dice.pick(['5m', '7m', '30m'])}])`;
  }
  return randomRead(dice, isAligned);
}

function randomRead(dice: Dice, isAligned: boolean): string {
  const selector = `m${dice.pick(['', '', '{s=~"[1-4]"}', '{s="1"}', '{s!="7"}', '{k="a"}', '{s="none"}'])}`;
  const offsets = isAligned ? [' offset 5m', ' offset 1h', ' offset -10m'] : [' offset 37s', ' offset 3h1m'];
  const offset = dice.chance(0.3) ? dice.pick(offsets) : '';
  const at = dice.chance(0.05) ? ` @ ${(dayMs + dice.below(20) * 3_600_000) / 1000}` : '';
  if (dice.chance(0.2)) return `${selector}${at}${offset}`;
  const range = isAligned
    ? dice.pick(['5m', '10m', '1h', '6h', '35m'])
    : dice.pick(['5m', '4m', '61s', '1h']);
  if (dice.chance(0.25)) return `${dice.pick(gridFunctions)}(${selector}[${range}]${at}${offset})`;
  return `${dice.pick(isAligned && dice.chance(0.6) ? cellFunctions : rangeFunctions)}(${selector}[${range}]${at}${offset})`;
}

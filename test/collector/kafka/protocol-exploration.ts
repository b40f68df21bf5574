/**
 * Searches worlds of protocol-world.ts for one in which something is wrong: a message twice in the table, one that is
 * never stored though nobody reported it, an intent that was replaced, or a world that does not come to its end though
 * nothing goes wrong any more.
 */
import { Lcg } from '#test/support/lcg.ts';
import {
  type Faults,
  firstWorld,
  logEnd,
  type Move,
  moves,
  type Protections,
  type World,
} from './protocol-world.ts';

export interface Exploration {
  readonly protections: Protections;
  readonly faults: Faults;
  /** In the log from the start, and those that come at any time. */
  readonly messages: number;
  readonly toProduce: number;
  readonly runLengthMax: number;
}

export interface Found {
  /** What is wrong and how it came to it, step by step; undefined where nothing was found. */
  readonly violation: string | undefined;
  readonly worlds: number;
  /** Steps of the longest of the shortest ways to a world. */
  readonly depth: number;
}

/** More steps than any world needs to finish without faults. */
const finishStepsMax = 200;
/** On a random walk, whether all would come to a good end is looked at every so many steps. */
const finishCheckEvery = 8;

/** Visits every world once, nearest first: there is an end, as faults are counted. */
export function exploreAll(exploration: Exploration): Found {
  const { protections, faults, messages, toProduce, runLengthMax } = exploration;
  interface Node {
    readonly world: World;
    readonly before: Node | undefined;
    readonly label: string;
    readonly depth: number;
  }
  let open: Node[] = [
    { world: firstWorld(faults, messages, toProduce), before: undefined, label: 'start', depth: 0 },
  ];
  const seen = new Set([JSON.stringify(open[0]!.world)]);
  const finishing = new Set<string>();
  let depth = 0;
  while (open.length > 0) {
    const next: Node[] = [];
    for (const node of open) {
      depth = node.depth;
      const wrong = whatIsWrong(node.world, exploration, finishing);
      if (wrong !== undefined) {
        const way: string[] = [];
        for (let at: Node | undefined = node; at !== undefined; at = at.before) way.unshift(at.label);
        return { violation: `${wrong}\n${way.join('\n')}`, worlds: seen.size, depth };
      }
      for (const { world, label } of moves(node.world, protections, runLengthMax)) {
        const key = JSON.stringify(world);
        if (seen.has(key)) continue;
        seen.add(key);
        next.push({ world, before: node, label, depth: depth + 1 });
      }
    }
    open = next;
  }
  return { violation: undefined, worlds: seen.size, depth };
}

/** Walks at random, as deep as there is anything to do, `walks` times. The same seed takes the same ways. */
export function exploreAtRandom(exploration: Exploration, walks: number, seed: number): Found {
  const { protections, faults, messages, toProduce, runLengthMax } = exploration;
  const random = new Lcg(seed);
  let depth = 0;
  let worlds = 0;
  for (let walk = 0; walk < walks; walk++) {
    let world = firstWorld(faults, messages, toProduce);
    const way = [`seed ${seed}, walk ${walk}`];
    for (;;) {
      worlds++;
      const isChecked = way.length % finishCheckEvery === 0;
      const wrong = isChecked ? whatIsWrong(world, exploration, new Set()) : (world.broken ?? doubled(world));
      if (wrong !== undefined) return { violation: `${wrong}\n${way.join('\n')}`, worlds, depth };
      const all = moves(world, protections, runLengthMax);
      // Faults are rare enough that work goes on between them.
      const work = all.filter(({ isFault }) => !isFault);
      const from = work.length > 0 && random.int(4) > 0 ? work : all;
      if (from.length === 0) {
        const end = whatIsWrong(world, exploration, new Set());
        if (end !== undefined) return { violation: `${end}\n${way.join('\n')}`, worlds, depth };
        break;
      }
      const { world: next, label } = from[random.int(from.length)]!;
      world = next;
      way.push(label);
    }
    depth = Math.max(depth, way.length);
  }
  return { violation: undefined, worlds, depth };
}

/** `finishing` are worlds that are known to come to a good end. */
function whatIsWrong(world: World, exploration: Exploration, finishing: Set<string>): string | undefined {
  return world.broken ?? doubled(world) ?? unfinished(world, exploration, finishing);
}

function doubled({ table }: World): string | undefined {
  const twice = table.find((id, index) => id === table[index - 1]);
  return twice === undefined ? undefined : `message ${twice} is in the table twice`;
}

/** From here on nothing goes wrong any more: everything must come to its end, and be there. */
function unfinished(
  from: World,
  { protections, runLengthMax }: Exploration,
  finishing: Set<string>,
): string | undefined {
  // An insert that was given up may as well never land.
  let world: World = { ...from, late: [] };
  const way: string[] = [];
  for (let step = 0; step < finishStepsMax; step++) {
    const key = JSON.stringify(world);
    if (finishing.has(key)) break;
    way.push(key);
    const next = work(world, protections, runLengthMax);
    if (next === undefined) {
      const wrong = doubled(world) ?? lost(world);
      if (wrong !== undefined) return wrong;
      break;
    }
    if (step === finishStepsMax - 1) return 'it never ends';
    world = next.world;
  }
  for (const key of way) finishing.add(key);
  return undefined;
}

/** The owner's next step, or the next message; undefined where all is done. Its zombie keeps still. */
function work(world: World, protections: Protections, runLengthMax: number): Move | undefined {
  const all = moves(world, protections, runLengthMax).filter(({ isFault }) => !isFault);
  const other = world.owner === 0 ? '1 ' : '0 ';
  return all.find(({ label }) => !label.startsWith(other) && label !== 'rebalance to 1');
}

function lost(world: World): string | undefined {
  const state = world.members[world.owner].state;
  const isDone = state.step === 'reading' && state.redo === undefined && state.next === logEnd(world);
  if (!isDone) return `it stops in ${JSON.stringify(state)}`;
  for (let id = 0; id < world.nextId; id++) {
    if (!world.table.includes(id) && !world.excused.includes(id))
      return `message ${id} is lost, and nobody says so`;
  }
  return undefined;
}

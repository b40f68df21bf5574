/**
 * Goal: what is inflated stays within its bound, and whoever waits gets a turn in the order of coming.
 * Method: passes asked for in order; what is admitted when others leave.
 */
import { expect, test } from 'vitest';
import { type GatePass, RunGate } from '#collector/kafka/run-gate.ts';

/** Names of those inside, in the order of admission; each asks for so many bytes (held twice). */
class Door {
  readonly gate: RunGate;
  readonly inside: string[] = [];
  readonly passes = new Map<string, GatePass>();
  readonly #forever = new AbortController();

  constructor(inflatedBytesMax: number, runsMax: number) {
    this.gate = new RunGate({ inflatedBytesMax, runsMax });
  }

  async ask(name: string, bytes: number | (() => number), abort = this.#forever.signal): Promise<void> {
    void this.gate
      .enter(typeof bytes === 'number' ? () => bytes : bytes, abort)
      .then((pass) => {
        this.inside.push(name);
        this.passes.set(name, pass);
      })
      .catch(() => this.inside.push(`${name} gave up`));
    await settle();
  }

  async leave(name: string): Promise<void> {
    this.passes.get(name)!.leave();
    await settle();
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('bytes bound who is inside, and the small wait behind the large', async () => {
  const door = new Door(100, 10);
  await door.ask('a', 30);
  await door.ask('large', 25);
  await door.ask('small', 1);
  expect(door.inside).toEqual(['a']);
  expect(door.gate.heldBytes).toBe(60);
  await door.leave('a');
  expect(door.inside).toEqual(['a', 'large', 'small']);
  expect(door.gate.heldBytes).toBe(52);
});

test('a run that is larger than the bound goes alone', async () => {
  const door = new Door(100, 10);
  await door.ask('huge', 500);
  await door.ask('next', 1);
  expect(door.inside).toEqual(['huge']);
  await door.leave('huge');
  expect(door.inside).toEqual(['huge', 'next']);
});

test('a flood that asks again and again gets one turn where each of the others gets one', async () => {
  const door = new Door(1000, 1);
  for (const name of ['flood', 'b', 'c']) await door.ask(name, 10);
  for (let turn = 0; turn < 6; turn++) {
    const name = door.inside.at(-1)!;
    void door.ask(name, 10);
    await door.leave(name);
  }
  expect(door.inside).toEqual(['flood', 'b', 'c', 'flood', 'b', 'c', 'flood']);
});

test('the size that counts is that of the moment', async () => {
  const door = new Door(100, 10);
  let bytes = 1;
  await door.ask('a', 40);
  await door.ask('b', 40);
  await door.ask('grows', () => bytes);
  bytes = 30;
  await door.leave('a');
  await door.leave('b');
  expect(door.gate.heldBytes).toBe(60);
});

test('whoever gives up waiting holds nobody up, and leaving twice frees once', async () => {
  const door = new Door(100, 10);
  const impatient = new AbortController();
  await door.ask('a', 40);
  await door.ask('impatient', 50, impatient.signal);
  await door.ask('b', 10);
  impatient.abort();
  await settle();
  expect(door.inside).toEqual(['a', 'b', 'impatient gave up']);
  await door.leave('a');
  await door.leave('a');
  expect(door.gate.heldBytes).toBe(20);
});

test('a run that rests keeps its memory and gives its place', async () => {
  const door = new Door(1000, 1);
  await door.ask('a', 40);
  await door.ask('b', 10);
  door.passes.get('a')!.rest(5);
  await settle();
  expect(door.inside).toEqual(['a', 'b']);
  expect(door.gate.heldBytes).toBe(25);
});

test('whoever gives up in the moment of being let in leaves nothing behind', async () => {
  const door = new Door(100, 10);
  const impatient = new AbortController();
  await door.ask('a', 40);
  await door.ask('impatient', 50, impatient.signal);
  door.passes.get('a')!.leave();
  impatient.abort();
  await settle();
  expect(door.inside).toEqual(['a', 'impatient gave up']);
  expect(door.gate.heldBytes).toBe(0);
});

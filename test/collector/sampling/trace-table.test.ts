/**
 * Goal: the table finds exactly the traces that it remembers, whatever was forgotten and however it grew.
 * Method: a Map as the model, under thousands of random steps; then facts of traces that live through growth.
 */
import { expect, test } from 'vitest';
import { TraceTable } from '#collector/sampling/trace-table.ts';
import { Lcg } from '#test/support/lcg.ts';
import { ByteView } from '#wire/protobuf/byte-view.ts';

/** Ids that differ in one word only, as those of poor generators do. */
function idOf(number: number): ByteView {
  const id = Buffer.alloc(16, 0x11);
  id.writeUInt32LE(number, (number % 4) * 4);
  return new ByteView(id);
}

test.each([1, 2, 3])('it finds what it remembers and nothing else (seed %i)', (seed) => {
  const random = new Lcg(seed);
  const table = new TraceTable(1);
  const model = new Map<string, number>();
  const order: { key: string; verdict: number }[] = [];
  let decided = 0;
  for (let step = 0; step < 30_000; step++) {
    const tenant = random.int(2);
    const number = random.int(6000);
    const key = `${tenant}/${number}`;
    expect(table.find(tenant, idOf(number), 0)).toBe(model.get(key) ?? -1);
    // It grows to thousands, is emptied nearly, and grows again.
    const isGrowing = step % 10_000 < 6000;
    if (isGrowing && !model.has(key)) {
      model.set(key, table.add(tenant, idOf(number), 0, step));
      order.push({ key, verdict: step & 0xffff });
      expect(table.tenantOf(table.next - 1)).toBe(tenant);
    }
    for (let count = isGrowing ? random.int(2) : 3; count > 0 && table.decided < table.next; count--) {
      table.decide(order[decided++]!.verdict);
    }
    for (let count = isGrowing ? random.int(2) : 2; count > 0 && table.first < table.decided; count--) {
      const { key: oldest, verdict } = order[table.first]!;
      expect(table.verdictOf(table.first)).toBe(verdict);
      model.delete(oldest);
      table.forget();
    }
    expect(table.count).toBe(model.size);
  }
  for (const [key, found] of model) {
    const [tenant, number] = key.split('/').map(Number);
    expect(table.find(tenant!, idOf(number!), 0)).toBe(found);
  }
});

test('facts of open traces live through growth', () => {
  const table = new TraceTable(70);
  for (let number = 0; number < 5000; number++) {
    table.add(0, idOf(number), 0, 0);
    table.facts.addSpan(number, number, 1, number + 7, 1, number % 2 === 0);
    table.facts.addBits(number, 2, number % 3 === 0 ? 1 << 5 : 0);
    if (number >= 1500) table.decide(0);
  }
  for (let number = table.decided; number < table.next; number++) {
    table.facts.at = number;
    expect([
      table.facts.spanCount,
      table.facts.traceNs,
      table.facts.rootNs,
      table.facts.has(69),
      table.facts.has(5),
    ]).toEqual([1, 7, number % 2 === 0 ? 7 : -1, number % 3 === 0, false]);
  }
});

test('an open trace cannot be forgotten', () => {
  const table = new TraceTable(1);
  table.add(0, idOf(1), 0, 0);
  expect(() => table.forget()).toThrow('BUG');
});

/** Goal: no more is under way than allowed, in the order of coming, and who gives up leaves no gap. */
import { expect, test } from 'vitest';
import { ByteGate } from '#agent/transport/byte-gate.ts';

const never = new AbortController().signal;
/** Lets what is settled reach its listeners. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

function entries(gate: ByteGate, log: string[]) {
  return (name: string, bytes: number, abort: AbortSignal = never) =>
    gate.enter(bytes, abort).then(
      () => void log.push(name),
      (error: Error) => void log.push(`${name}: ${error.message}`),
    );
}

test('requests wait for room in bytes, first come, first served', async () => {
  const [gate, log] = [new ByteGate(100, 10), [] as string[]];
  const enter = entries(gate, log);
  void enter('a', 60);
  void enter('b', 60);
  void enter('c', 10);
  await turn();
  expect([log, gate.bytes, gate.waitingCount]).toEqual([['a'], 60, 2]);
  gate.leave(60);
  await turn();
  expect([log, gate.bytes, gate.waitingCount]).toEqual([['a', 'b', 'c'], 70, 0]);
});

test('requests wait for room in number', async () => {
  const [gate, log] = [new ByteGate(100, 2), [] as string[]];
  const enter = entries(gate, log);
  for (const name of ['a', 'b', 'c']) void enter(name, 1);
  await turn();
  expect(log).toEqual(['a', 'b']);
  gate.leave(1);
  await turn();
  expect(log).toEqual(['a', 'b', 'c']);
});

test('one that is larger than all goes when it is alone', async () => {
  const [gate, log] = [new ByteGate(100, 10), [] as string[]];
  const enter = entries(gate, log);
  void enter('small', 1);
  void enter('large', 1000);
  await turn();
  expect(log).toEqual(['small']);
  gate.leave(1);
  await turn();
  expect(log).toEqual(['small', 'large']);
});

test('who gives up leaves with the reason, and lets the next one in', async () => {
  const [gate, log] = [new ByteGate(100, 10), [] as string[]];
  const enter = entries(gate, log);
  const abort = new AbortController();
  void enter('a', 60);
  void enter('b', 60, abort.signal);
  void enter('c', 10);
  abort.abort(new Error('stopped'));
  await turn();
  expect(log.toSorted()).toEqual(['a', 'b: stopped', 'c']);
  expect([gate.bytes, gate.requests, gate.waitingCount]).toEqual([70, 2, 0]);
});

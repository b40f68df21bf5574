/** Goal: never more evaluations at once than there are slots, and none is forgotten. Method: jobs that end by hand. */
import { expect, test } from 'vitest';
import { EvaluationSlots } from '#query/rules/evaluation-slots.ts';

test('work waits for a slot in its order, also after work that failed', async () => {
  const slots = new EvaluationSlots(2);
  const started: number[] = [];
  const ends: ((isOk: boolean) => void)[] = [];
  const jobs = [0, 1, 2, 3].map((job) =>
    slots
      .run(() => {
        started.push(job);
        return new Promise<void>((resolve, reject) => {
          ends[job] = (isOk) => (isOk ? resolve() : reject(new Error('failed')));
        });
      })
      .catch(() => {}),
  );
  await Promise.resolve();
  expect(started).toEqual([0, 1]);
  ends[1](false);
  await jobs[1];
  await Promise.resolve();
  expect(started).toEqual([0, 1, 2]);
  ends[0](true);
  await jobs[0];
  await Promise.resolve();
  expect(started).toEqual([0, 1, 2, 3]);
});

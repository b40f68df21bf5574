/** Functions of time: the step's own, or that of values taken as seconds since 1970 (UTC). */

import { streamStartTimes, streamTimestamps } from '../evaluate-selector.ts';
import { evaluateVector, withoutName } from '../evaluation.ts';
import { constantScalar, numbersOnly, type StepSeries } from '../step-series.ts';
import { unwrapParentheses } from '../tree.ts';
import type { FunctionFamily, WholeFunction } from './function-kinds.ts';

/** Seconds to a part of the date. Seconds are cut to whole ones, towards zero. */
function datePart(read: (date: Date) => number): WholeFunction {
  const part = (seconds: number) => read(new Date(Math.trunc(seconds) * 1000));
  return {
    kind: 'whole',
    dependsOnTime: true,
    evaluate: async (evaluation, call, grid) => {
      if (call.args.length === 0) {
        const values = new Float64Array(grid.count);
        for (let i = 0; i < grid.count; i++) values[i] = part((grid.startMs + i * grid.stepMs) / 1000);
        const present = new Uint8Array(grid.count).fill(1);
        return { kind: 'vector', series: [{ labels: [], dropsName: false, values, present }] };
      }
      const input = await evaluateVector(evaluation, call.args[0], grid);
      const series = input
        .map(numbersOnly)
        .map((one) => withoutName(evaluation, { ...one, values: one.values.map(part) }));
      return { kind: 'vector', series };
    },
  };
}

const dayMs = 86_400_000;

function dayOfYear(date: Date): number {
  return Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / dayMs) + 1;
}

function daysInMonth(date: Date): number {
  return new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
}

const time: WholeFunction = {
  kind: 'whole',
  dependsOnTime: true,
  evaluate: async (_evaluation, _call, grid) => {
    const values = new Float64Array(grid.count);
    for (let i = 0; i < grid.count; i++) values[i] = (grid.startMs + i * grid.stepMs) / 1000;
    return { kind: 'scalar', values };
  },
};

/** Of a selector: the samples' own times. Of anything else: the step's time where there is a value. */
const timestamp: WholeFunction = {
  kind: 'whole',
  dependsOnTime: true,
  evaluate: async (evaluation, call, grid) => {
    const argument = unwrapParentheses(call.args[0]);
    const series: StepSeries[] = [];
    if (argument.kind === 'vector') {
      for await (const one of streamTimestamps(evaluation, argument, grid)) {
        series.push(withoutName(evaluation, one));
      }
      return { kind: 'vector', series };
    }
    for (const one of await evaluateVector(evaluation, call.args[0], grid)) {
      const values = one.values.map((_value, i) => (grid.startMs + i * grid.stepMs) / 1000);
      series.push(withoutName(evaluation, { ...one, values, histograms: undefined }));
    }
    return { kind: 'vector', series };
  },
};

/** Of a selector's samples: when their counters began, 0 where nobody said. Anything else has no such time. */
const startTimestamp: WholeFunction = {
  kind: 'whole',
  evaluate: async (evaluation, call, grid) => {
    const argument = unwrapParentheses(call.args[0]);
    const series: StepSeries[] = [];
    if (argument.kind !== 'vector') {
      // Only what was stored began at some time; errors and notes of the argument are the query's all the same.
      await evaluateVector(evaluation, argument, grid);
      return { kind: 'vector', series };
    }
    for await (const one of streamStartTimes(evaluation, argument, grid)) {
      series.push(withoutName(evaluation, one));
    }
    return { kind: 'vector', series };
  },
};

export const timeFunctions: FunctionFamily = {
  time,
  timestamp,
  start_timestamp: startTimestamp,
  start: {
    kind: 'whole',
    evaluate: async ({ queryStartMs }, _call, grid) => constantScalar(queryStartMs / 1000, grid.count),
  },
  end: {
    kind: 'whole',
    evaluate: async ({ queryEndMs }, _call, grid) => constantScalar(queryEndMs / 1000, grid.count),
  },
  step: {
    kind: 'whole',
    evaluate: async ({ queryStepMs }, _call, grid) => constantScalar(queryStepMs / 1000, grid.count),
  },
  range: {
    kind: 'whole',
    evaluate: async ({ queryStartMs, queryEndMs }, _call, grid) =>
      constantScalar((queryEndMs - queryStartMs) / 1000, grid.count),
  },
  pi: { kind: 'whole', evaluate: async (_evaluation, _call, grid) => constantScalar(Math.PI, grid.count) },
  minute: datePart((date) => date.getUTCMinutes()),
  hour: datePart((date) => date.getUTCHours()),
  day_of_month: datePart((date) => date.getUTCDate()),
  day_of_week: datePart((date) => date.getUTCDay()),
  day_of_year: datePart(dayOfYear),
  days_in_month: datePart(daysInMonth),
  month: datePart((date) => date.getUTCMonth() + 1),
  year: datePart((date) => date.getUTCFullYear()),
};

/** The reads of PromQL that ClickHouse answers itself: see promql/pushed/pushed-source.ts. */
import { errorMessage } from '#model/errors.ts';
import type { Store } from '#store/store.ts';
import type { PushedReads } from '../promql/pushed/pushed-source.ts';
import { completeCells, readCells } from './cell-read.ts';
import { type GridProbe, probeGridFunctions } from './grid-functions.ts';
import { readGrid } from './grid-read.ts';
import { readGroups } from './group-read.ts';
import { countHistogramNumbers } from './histograms.ts';
import type { MetricRead } from './metric-read.ts';
import { createSelections, selectionSql } from './metric-selection.ts';
import { rowWindowParams } from './row-window.ts';

export interface PushDownLog {
  warn(fields: object, message: string): void;
}

/** Knows which functions a store computes as PromQL does. */
export interface PushDownProbe {
  /** The self-test's outcome; it runs once. Where the store does not answer, nothing is pushed, and it is asked again. */
  result(): Promise<GridProbe>;
}

/** The self-test runs when it is first asked for. `hasShards` says that the store is a cluster. */
export function createPushDownProbe(store: Store, log: PushDownLog, hasShards = false): PushDownProbe {
  let known: Promise<GridProbe> | undefined;
  const ask = async (): Promise<GridProbe> => {
    try {
      const probe = await probeGridFunctions(store, hasShards ? 'cluster' : store.kind);
      for (const [name, failure] of probe.failures) {
        log.warn(
          { function: name, failure },
          'the store computes a function otherwise: it is not pushed down',
        );
      }
      return probe;
    } catch (error) {
      known = undefined;
      log.warn({ error: errorMessage(error) }, 'the self-test of pushed functions did not run');
      return {
        place: hasShards ? 'cluster' : store.kind,
        functions: new Set(),
        settings: {},
        failures: new Map(),
      };
    }
  };
  return {
    result: () => {
      known ??= ask();
      return known;
    },
  };
}

/** For one query: what it has looked up is kept. */
export function createPushedReads(read: MetricRead, seriesMax: number, probe: PushDownProbe): PushedReads {
  const select = createSelections(read, seriesMax);
  return {
    capabilities: () => probe.result(),
    countSeries: async (request, abort) => (await select(request, abort)).series.length,
    survey: async (request, wantsCells, abort) => {
      const selection = await select(request, abort);
      const none = { cellsFromMs: Infinity, cellsUntilMs: -Infinity };
      const where = selectionSql(selection, selection.series);
      const params = { ...where.params, ...rowWindowParams(request) };
      const hasHistograms = (await countHistogramNumbers(read, where.sql, params, abort)) > 0;
      if (!wantsCells || hasHistograms) return { hasHistograms, ...none };
      const { fromMs, untilMs } = await completeCells(read, selection, request, abort);
      return { hasHistograms, cellsFromMs: fromMs, cellsUntilMs: untilMs };
    },
    async *grid(request, abort) {
      const [selection, { settings }] = [await select(request.request, abort), await probe.result()];
      yield* readGrid(read, selection, request, settings, abort);
    },
    async *groups(request, abort) {
      const [selection, { settings }] = [await select(request.grid.request, abort), await probe.result()];
      yield* readGroups(read, selection, request, settings, abort);
    },
    async *cells(request, abort) {
      yield* readCells(read, await select(request.request, abort), request, abort);
    },
  };
}

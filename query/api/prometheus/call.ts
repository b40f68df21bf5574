/** What the endpoints of Prometheus's API are given, and what they return. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { LabelMatcher } from '#model/labels.ts';
import { parseTenant, tenantHeader } from '#model/tenant.ts';
import type { PromqlEngine } from '../../promql/engine.ts';
import type { ExemplarSource, SampleSource, TimeRange } from '../../promql/source.ts';
import type { CompactedDay } from '../../sql/compacted-days.ts';
import { clientAbort } from '../client-abort.ts';
import { PrometheusParams } from '../prometheus-params.ts';
import type { ServerFacts } from './server-facts.ts';

export interface PrometheusApiOptions {
  readonly engine: PromqlEngine;
  /** The metrics of one tenant. */
  readonly source: (tenant: string) => SampleSource & ExemplarSource;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Steps of a range query (query.steps_max): the engine's own limit. */
  readonly stepsMax: number;
  /** Sonde's version, for /status/buildinfo. */
  readonly version: string;
  readonly server: ServerFacts;
  readonly remoteRead: RemoteReadLimits;
  /** Days of compacted samples of one tenant. */
  readonly days: (tenant: string, abort: AbortSignal) => Promise<readonly CompactedDay[]>;
  /** Deletes series of one tenant; undefined where the administration API is off. */
  readonly admin: SeriesAdministration | undefined;
}

export interface RemoteReadLimits {
  /** Requests that are read at once; others wait. */
  readonly concurrency: number;
  /** Samples that one request may read (query.samples_max). */
  readonly samplesMax: number;
}

export interface SeriesAdministration {
  /** Deletes what the series that match any of the lists have in the range; both bounds are inclusive. */
  deleteSeries(
    tenant: string,
    lists: readonly (readonly LabelMatcher[])[],
    range: TimeRange,
    abort: AbortSignal,
  ): Promise<void>;
  /** Rewrites what holds deleted rows, so that their bytes go. */
  cleanTombstones(): Promise<void>;
  /** Backs the store up and returns the backup's name. Rejects with RefusedError where there is no place for it. */
  snapshot(): Promise<string>;
}

/** What an endpoint reads: the request's parameters, its tenant, and a signal that the client is gone. */
export interface Call {
  readonly params: PrometheusParams;
  readonly tenant: string;
  readonly source: SampleSource & ExemplarSource;
  readonly abort: AbortSignal;
  readonly request: FastifyRequest;
  readonly options: PrometheusApiOptions;
}

/** JSON text, whole or in pieces that follow one another; undefined: 204, nothing to say. */
export type Answer = string | Iterable<string> | undefined;

/** Throws RefusedError (400) where the tenant has no valid name. */
export function toCall(request: FastifyRequest, reply: FastifyReply, options: PrometheusApiOptions): Call {
  const tenant = parseTenant(request.headers[tenantHeader]);
  return {
    params: new PrometheusParams(request),
    tenant,
    source: options.source(tenant),
    abort: clientAbort(reply),
    request,
    options,
  };
}

/** The queries of `npm run bench:promql`. Times lie seven seconds after a minute, where no sample and no step of a subquery is. */
import type { PromqlDataShape } from './promql-data.ts';
import { hourMs } from './promql-data.ts';

export interface BenchQuery {
  readonly name: string;
  /** Below the base URL of the API. */
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
}

const offGridMs = 7000;

export function createQueries({ endMs, hours, days }: PromqlDataShape): readonly BenchQuery[] {
  const lastMs = endMs - 60_000 + offGridMs;
  const seconds = (ms: number) => String(ms / 1000);
  const instant = (name: string, query: string): BenchQuery => ({
    name,
    path: '/api/v1/query',
    params: { query, time: seconds(lastMs) },
  });
  const range = (name: string, query: string, lengthMs: number, stepSeconds: number): BenchQuery => ({
    name,
    path: '/api/v1/query_range',
    params: { query, start: seconds(lastMs - lengthMs), end: seconds(lastMs), step: String(stepSeconds) },
  });
  const listed = (name: string, path: string, match: string): BenchQuery => ({
    name,
    path,
    params: { 'match[]': match, start: seconds(lastMs - hourMs), end: seconds(lastMs) },
  });
  const shortHours = Math.min(hours - 0.5, 6);
  const rateByJob = 'sum by (job) (rate(http_requests_total[5m]))';
  const oneInstance = 'instance="10.0.0.7:9100"';
  return [
    instant(
      'instant selector, one series',
      `http_requests_total{${oneInstance},path="/api/v1/3",status="404"}`,
    ),
    instant('instant selector, one job', 'http_requests_total{job="job-7"}'),
    instant('instant selector, all', 'http_requests_total'),
    instant('instant sum by job', 'sum by (job) (http_requests_total)'),
    range('rate by job, 1 h', rateByJob, hourMs, 15),
    range(`rate by job, ${shortHours} h`, rateByJob, shortHours * hourMs, 60),
    range('rate of one instance, 1 h', `rate(http_requests_total{${oneInstance}}[5m])`, hourMs, 15),
    range(
      'rate by path of one job, 1 h',
      'sum by (path) (rate(http_requests_total{job="job-7"}[5m]))',
      hourMs,
      15,
    ),
    range(
      'avg_over_time of gauges, 1 h',
      'max by (job) (avg_over_time(node_temperature_celsius[10m]))',
      hourMs,
      60,
    ),
    instant('topk 10 of rate', 'topk(10, rate(http_requests_total[5m]))'),
    range(
      'histogram_quantile, 1 h',
      'histogram_quantile(0.9, sum by (le, job) (rate(http_request_duration_seconds_bucket[5m])))',
      hourMs,
      60,
    ),
    range(
      'binary join, 1 h',
      'sum by (instance) (rate(http_requests_total{status="500"}[5m])) / on (instance) sum by (instance) (rate(http_requests_total[5m]))',
      hourMs,
      60,
    ),
    range(
      'subquery, 1 h',
      'max_over_time(sum by (job) (rate(node_cpu_seconds_total[5m]))[30m:1m])',
      hourMs,
      60,
    ),
    range(
      `rate by job, ${days} d`,
      'sum by (job) (rate(batch_items_total[1h]))',
      (days - 0.25) * 24 * hourMs,
      1800,
    ),
    listed('label values', '/api/v1/label/instance/values', 'http_requests_total{job=~"job-1.*"}'),
    listed('series', '/api/v1/series', 'http_requests_total'),
  ];
}

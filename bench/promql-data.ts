/**
 * The data of `npm run bench:promql`, as remote write 1.0 requests in order of time: the same bytes in every run.
 *
 * Of each instance, a hundred series every 15 s: 70 integer counters of requests, 10 buckets of a histogram, 10 counters of CPU
 * seconds (hundredths), 5 gauges of bytes (multiples of 4096), 5 noisy gauges. Ten more counters every 60 s, for a week.
 * Instances are scraped at odd milliseconds of their own; one in twenty starts again on the way.
 */
import { createRandom } from './workload.ts';

export interface PromqlDataShape {
  /** Series that are 15 s apart: a multiple of 100. */
  readonly series: number;
  readonly hours: number;
  readonly days: number;
  /** Whole hours since 1970; all samples are before it. */
  readonly endMs: number;
}

export const bucketBounds = ['0.005', '0.01', '0.025', '0.05', '0.1', '0.25', '0.5', '1', '5', '+Inf'];
const statuses = ['200', '200', '201', '404', '500'];
const seriesPerInstance = 100;
const longPerInstance = 10;
const jobs = 20;
const shortStepMs = 15_000;
const longStepMs = 60_000;
const samplesPerRequest = 20;
const seriesPerRequest = 2500;
export const hourMs = 3_600_000;

interface Family {
  readonly stepMs: number;
  readonly firstMs: number;
  readonly labels: readonly Uint8Array[];
  readonly values: Float64Array;
  /** Of each series: milliseconds after the step. */
  readonly offsets: Uint16Array;
  /** Changes `values` to those of the next step. */
  advance(step: number): void;
}

/** What was made, for the report. */
export interface PromqlDataCounts {
  readonly samples: number;
  readonly series: number;
}

export function countData({ series, hours, days }: PromqlDataShape): PromqlDataCounts {
  const long = (series / seriesPerInstance) * longPerInstance;
  const samples = series * ((hours * hourMs) / shortStepMs) + long * ((days * 24 * hourMs) / longStepMs);
  return { samples, series: series + long };
}

/** Yields groups of requests: those of one group may be sent in any order, groups one after another. */
export function* createData(shape: PromqlDataShape): Generator<Generator<Uint8Array>> {
  const families = [longFamily(shape), shortFamily(shape)];
  const sliceMs = (stepMs: number) => stepMs * samplesPerRequest;
  const next = families.map(({ firstMs }) => firstMs);
  for (;;) {
    const index = next[0] <= next[1] ? 0 : 1;
    const family = families[index];
    if (next[index] >= shape.endMs) return;
    yield requestsOf(family, next[index]);
    next[index] += sliceMs(family.stepMs);
  }
}

function* requestsOf(family: Family, sliceStartMs: number): Generator<Uint8Array> {
  const { labels, stepMs, firstMs } = family;
  const columns: Float64Array[] = [];
  for (let i = 0; i < samplesPerRequest; i++) {
    family.advance((sliceStartMs - firstMs) / stepMs + i);
    columns.push(family.values.slice());
  }
  for (let start = 0; start < labels.length; start += seriesPerRequest) {
    const end = Math.min(labels.length, start + seriesPerRequest);
    yield encodeRequest(family, columns, sliceStartMs, start, end);
  }
}

function instanceOffset(instance: number): number {
  return 1 + 2 * ((instance * 7919) % 7000);
}

function shortFamily({ series, hours, endMs }: PromqlDataShape): Family {
  const instances = series / seriesPerInstance;
  const labels: Uint8Array[] = [];
  const random = createRandom(1);
  const rates = new Float64Array(series);
  const values = new Float64Array(series);
  const offsets = new Uint16Array(series);
  for (let instance = 0; instance < instances; instance++) {
    const own = { instance: `10.0.${instance >> 8}.${instance & 255}:9100`, job: `job-${instance % jobs}` };
    for (let i = 0; i < seriesPerInstance; i++) {
      const index = instance * seriesPerInstance + i;
      labels.push(encodeLabels({ ...own, ...shortLabels(i) }));
      offsets[index] = instanceOffset(instance);
      rates[index] = 1 + random(200);
      values[index] = i < 90 ? random(100_000) : 4096 * random(1_000_000);
    }
  }
  const steps = (hours * hourMs) / shortStepMs;
  const restarts = new Int32Array(instances).fill(-1);
  for (let instance = 0; instance < instances; instance += 20) restarts[instance] = random(steps);
  return {
    stepMs: shortStepMs,
    firstMs: endMs - hours * hourMs,
    labels,
    values,
    offsets,
    advance(step) {
      for (let index = 0; index < series; index++) {
        const i = index % seriesPerInstance;
        const instance = (index - i) / seriesPerInstance;
        if (restarts[instance] === step && i < 90) values[index] = 0;
        if (i < 70) values[index] += random(rates[index]);
        else if (i < 80) {
          // Buckets are cumulative: each has what the one below has got, and some of its own.
          const own = random(20);
          const below = i === 70 ? 0 : grown[i - 71];
          grown[i - 70] = below + own;
          if (step === 0 || restarts[instance] === step) values[index] = 0;
          values[index] += grown[i - 70];
        } else if (i < 90) values[index] = Math.round(values[index] * 100 + random(1500)) / 100;
        else if (i < 95) values[index] += 4096 * (random(100) - 50);
        else values[index] = random(1_000_000) / 1000;
      }
    },
  };
}

const grown = new Float64Array(bucketBounds.length);

function shortLabels(i: number): Record<string, string> {
  if (i < 70) {
    return {
      __name__: 'http_requests_total',
      path: `/api/v1/${Math.floor(i / statuses.length)}`,
      status: statuses[i % statuses.length],
      ...(i % statuses.length === 1 ? { method: 'HEAD' } : { method: 'GET' }),
    };
  }
  if (i < 80) return { __name__: 'http_request_duration_seconds_bucket', le: bucketBounds[i - 70] };
  if (i < 90) return { __name__: 'node_cpu_seconds_total', cpu: String(i - 80), mode: 'user' };
  if (i < 95) return { __name__: 'node_memory_used_bytes', node: String(i - 90) };
  return { __name__: 'node_temperature_celsius', sensor: String(i - 95) };
}

function longFamily({ series, days, endMs }: PromqlDataShape): Family {
  const count = (series / seriesPerInstance) * longPerInstance;
  const random = createRandom(2);
  const labels: Uint8Array[] = [];
  const offsets = new Uint16Array(count);
  const values = new Float64Array(count);
  for (let index = 0; index < count; index++) {
    const instance = Math.floor(index / longPerInstance);
    offsets[index] = instanceOffset(instance);
    labels.push(
      encodeLabels({
        __name__: 'batch_items_total',
        instance: `10.0.${instance >> 8}.${instance & 255}:9100`,
        job: `job-${instance % jobs}`,
        queue: String(index % longPerInstance),
      }),
    );
  }
  return {
    stepMs: longStepMs,
    firstMs: endMs - days * 24 * hourMs,
    labels,
    values,
    offsets,
    advance() {
      for (let index = 0; index < count; index++) values[index] += random(50);
    },
  };
}

/** Label fields of a TimeSeries, sorted by name. */
function encodeLabels(labels: Readonly<Record<string, string>>): Uint8Array {
  const parts: Buffer[] = [];
  for (const name of Object.keys(labels).sort()) {
    const pair = Buffer.concat([textField(0x0a, name), textField(0x12, labels[name])]);
    parts.push(Buffer.of(0x0a, pair.length), pair);
  }
  return Buffer.concat(parts);
}

function textField(tag: number, text: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length > 50)
    throw new Error(`a label of ${bytes.length} bytes makes its pair longer than one byte says`);
  return Buffer.concat([Buffer.of(tag, bytes.length), bytes]);
}

/** Two tags, a length, eight bytes of value and six of time: milliseconds of these years take six bytes. */
const sampleBytes = 2 + 1 + 8 + 1 + 6;

function encodeRequest(
  { labels, stepMs, offsets }: Family,
  columns: readonly Float64Array[],
  sliceStartMs: number,
  start: number,
  end: number,
): Uint8Array {
  let size = 0;
  for (let index = start; index < end; index++)
    size += labels[index].length + sampleBytes * samplesPerRequest + 6;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (let index = start; index < end; index++) {
    const length = labels[index].length + sampleBytes * samplesPerRequest;
    bytes[at++] = 0x0a;
    at = writeVaruint(bytes, at, length);
    bytes.set(labels[index], at);
    at += labels[index].length;
    for (let i = 0; i < samplesPerRequest; i++) {
      bytes[at] = 0x12;
      bytes[at + 1] = sampleBytes - 2;
      bytes[at + 2] = 0x09;
      view.setFloat64(at + 3, columns[i][index], true);
      bytes[at + 11] = 0x10;
      at = writeVaruint(bytes, at + 12, sliceStartMs + i * stepMs + offsets[index]);
    }
  }
  return bytes.subarray(0, at);
}

function writeVaruint(bytes: Uint8Array, offset: number, value: number): number {
  let at = offset;
  let rest = value;
  while (rest >= 128) {
    bytes[at++] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  bytes[at++] = rest;
  return at;
}

/** Snappy's block format, all of it one literal: senders must not take the CPU that is wanted for loading. */
export function asSnappyLiteral(bytes: Uint8Array): Uint8Array {
  const head = new Uint8Array(10);
  let at = writeVaruint(head, 0, bytes.length);
  // Tag 63: the length less one follows in four bytes.
  head[at++] = 63 << 2;
  new DataView(head.buffer).setUint32(at, bytes.length - 1, true);
  return Buffer.concat([head.subarray(0, at + 4), bytes]);
}

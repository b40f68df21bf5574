/**
 * InfluxDB's line protocol to a remote write 2.0 request.
 *
 *   cpu,host=a usage=0.5,value=1 1700000000000000000
 *     ->  cpu_usage{host="a"} 0.5 and cpu{host="a"} 1, both at 1700000000000 ms
 *
 * Names are those that Telegraf's and Prometheus' own exporters make: measurement_field, and the measurement alone for
 * a field that is called `value`. Tags are labels; the database is the label `db`, as in VictoriaMetrics. What a name
 * may not have becomes _. Booleans are 1 and 0; text has no place among samples and is counted as ignored. Lines that
 * are not valid are rejected one by one.
 */
import { isUtf8 } from 'node:buffer';
import { RefusedError } from '#model/errors.ts';
import { type Labels, metricNameLabel, sortLabels } from '#model/labels.ts';
import {
  type Conversion,
  type ConversionTask,
  conversionLimit,
  type InfluxParameters,
  RejectionTally,
} from '../conversion/conversion.ts';
import { noMetadata, RequestEncoder } from '../remote-write/request-encoder.ts';
import { LineParser } from './line-parser.ts';

/** Each field of a line repeats all tags of the line. */
const tagsMax = 256;
/** Kept at a time: some hundred bytes each, and a body may have a new one in every line. */
const headsMax = 10_000;
/** The latest time that JavaScript, and most others, have. */
const unixMsMax = 8.64e15;

const digitsBelowMs = { ns: 6, us: 3, ms: 0, s: 0, m: 0, h: 0 } as const;
const msPerUnit = { ns: 1, us: 1, ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

const parametersDefault: InfluxParameters = { precision: 'ns', database: '' };

/** Throws RefusedError where the bytes are not text, or where they become too many. */
export function convertInfluxLines(task: ConversionTask): Conversion {
  const { bytes, influx = parametersDefault } = task;
  const limit = conversionLimit(task);
  if (!isUtf8(bytes)) throw new RefusedError('the lines are not valid UTF-8');
  const lines = new LineParser(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  const tally = new RejectionTally();
  const series = new PointSeries(influx.database);
  const { encoder } = series;
  const nowUnixMs = Number(task.nowUnixNano / 1_000_000n);
  let ignored = 0;
  let isClocked = false;
  while (lines.next()) {
    const unixMs = lines.time === '' ? nowUnixMs : toUnixMs(lines.time, influx.precision);
    const ids = lines.fault === '' && Number.isFinite(unixMs) ? series.of(lines.head) : undefined;
    const fault = lines.fault || (ids === undefined ? 'time outside of what can be stored' : ids.fault);
    if (ids === undefined || fault !== '') {
      tally.add('line', 1, `line ${lines.lineNumber}: ${fault}`);
      continue;
    }
    isClocked ||= lines.time === '';
    for (const { key, value } of lines.fields) {
      if (value === undefined) {
        ignored++;
        continue;
      }
      encoder.writeSample(series.id(ids, key), noMetadata, value, unixMs);
      if (encoder.requestBytes > limit.bytesMax) throw limit.error();
    }
  }
  return {
    bytes: encoder.sampleCount === 0 ? new Uint8Array(0) : encoder.finish(),
    rejections: tally.rejections(),
    ignored,
    isClocked,
  };
}

/** Returns NaN for a time that is too far away. Digits below a millisecond are dropped as text: doubles have 15. */
function toUnixMs(digits: string, precision: InfluxParameters['precision']): number {
  const dropped = digitsBelowMs[precision];
  const kept = dropped === 0 ? digits : digits.slice(0, -dropped);
  const unixMs = Number(kept === '-' ? '' : kept) * msPerUnit[precision];
  return Math.abs(unixMs) <= unixMsMax ? unixMs : Number.NaN;
}

/** Measurement and tags of one or many lines, with the ids of the series that were made of them. */
interface PointHead {
  readonly fault: string;
  /** Without escapes. */
  readonly measurement: string;
  readonly labels: Labels;
  /** By field key, as written. */
  readonly ids: Map<string, number>;
}

class PointSeries {
  readonly encoder = new RequestEncoder();
  readonly #database: string;
  readonly #heads = new Map<string, PointHead>();

  constructor(database: string) {
    this.#database = database;
  }

  of(head: string): PointHead {
    let known = this.#heads.get(head);
    if (known === undefined) {
      if (this.#heads.size >= headsMax) this.#heads.clear();
      known = parseHead(head, this.#database);
      this.#heads.set(head, known);
    }
    return known;
  }

  id(head: PointHead, key: string): number {
    let id = head.ids.get(key);
    if (id === undefined) {
      const field = undoEscapes(key);
      const name = field === 'value' ? head.measurement : `${head.measurement}_${field}`;
      const metric = toName(name, /[^a-zA-Z0-9_:]/g);
      id = this.encoder.addSeries(sortLabels([[metricNameLabel, metric], ...head.labels]));
      head.ids.set(key, id);
    }
    return id;
  }
}

// head => measurement (',' key '=' value)*
function parseHead(head: string, database: string): PointHead {
  const [measurement, ...tags] = splitUnescaped(head, ',');
  const labels = new Map<string, string>();
  let fault = measurement === '' ? 'missing measurement' : '';
  if (tags.length > tagsMax) fault = `more than ${tagsMax} tags`;
  for (const tag of fault === '' ? tags : []) {
    const [key = '', ...rest] = splitUnescaped(tag, '=');
    const value = undoEscapes(rest.join('='));
    const label = toName(undoEscapes(key), /[^a-zA-Z0-9_]/g);
    if (key === '') fault = 'missing tag key';
    else if (value === '') fault = 'missing tag value';
    else if (labels.has(label) || label === metricNameLabel) fault = `two tags are the label "${label}"`;
    labels.set(label, value);
  }
  if (database !== '' && !labels.has('db')) labels.set('db', database);
  return { fault, measurement: undoEscapes(measurement!), labels: [...labels], ids: new Map() };
}

function splitUnescaped(text: string, separator: string): string[] {
  const parts: string[] = [];
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === separator) {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}

/** A backslash before anything else stands for itself. In measurements = needs none, and may have one. */
function undoEscapes(text: string): string {
  return text.includes('\\') ? text.replace(/\\([,= ])/g, '$1') : text;
}

function toName(text: string, notAllowed: RegExp): string {
  const name = text.replace(notAllowed, '_');
  return /^[0-9]/.test(name) ? `_${name}` : name;
}

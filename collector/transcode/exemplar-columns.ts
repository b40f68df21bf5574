/** The columns of `exemplars` as sinks, in table order. */
import type { ByteView } from '#wire/protobuf/byte-view.ts';
import { FixedColumn } from './column-fixed.ts';
import { LowCardinalityColumn } from './column-low-cardinality.ts';
import { MapColumn } from './column-map.ts';
import { StringColumn } from './column-string.ts';
import type { LabelSet } from './label-set.ts';
import { twoTo32 } from './record-window.ts';
import { TableSink } from './table-sink.ts';

const traceIdBytes = 16;
/** Jaeger's and Zipkin's older ids of 8 bytes stand at the end of the 16, as in spans that came from them. */
const shortTraceIdBytes = 8;
const traceIdNames = ['trace_id', 'traceID'].map((name) => Buffer.from(name));

export class ExemplarColumns {
  readonly tenant = new LowCardinalityColumn();
  readonly #metric = new LowCardinalityColumn();
  readonly #id = new FixedColumn('UInt64');
  readonly ts = new FixedColumn("DateTime64(3, 'UTC')");
  readonly #v = new FixedColumn('Float64');
  readonly #labels = new MapColumn(new StringColumn());
  readonly #traceId = new FixedColumn('FixedString(16)');

  readonly sink = new TableSink('exemplars', [
    this.tenant,
    this.#metric,
    this.#id,
    this.ts,
    this.#v,
    this.#labels,
    this.#traceId,
  ]);

  /** Appends the series an exemplar is of; push() must follow. The tenant is left out. */
  pushSeries(metric: ByteView, start: number, length: number, idLow: number, idHigh: number): void {
    this.#metric.pushRange(metric, start, length);
    this.#id.pushUint64(idLow, idHigh);
  }

  /** `labels` must be sorted and valid, without empty values. */
  push(unixMs: number, valueLow: number, valueHigh: number, labels: LabelSet): void {
    this.ts.pushUint64(unixMs % twoTo32, Math.floor(unixMs / twoTo32));
    this.#v.pushUint64(valueLow, valueHigh);
    const text = labels.text.data;
    for (let i = 0; i < labels.count; i++) {
      const pair = labels.order[i];
      this.#labels.pushKey(text, labels.nameStarts[pair], labels.nameLengths[pair]);
      this.#labels.values.pushRange(text, labels.valueStarts[pair], labels.valueLengths[pair]);
    }
    this.#labels.endRow();
    this.#pushTraceId(labels);
  }

  #pushTraceId(labels: LabelSet): void {
    const { bytes } = labels.text.data;
    for (let i = 0; i < labels.count; i++) {
      const pair = labels.order[i];
      const name = bytes.subarray(
        labels.nameStarts[pair],
        labels.nameStarts[pair] + labels.nameLengths[pair],
      );
      if (!traceIdNames.some((known) => known.equals(name))) continue;
      const start = labels.valueStarts[pair];
      const byteCount = labels.valueLengths[pair] / 2;
      if (byteCount !== traceIdBytes && byteCount !== shortTraceIdBytes) continue;
      if (!isHex(bytes, start, byteCount * 2)) continue;
      for (let at = byteCount; at < traceIdBytes; at++) this.#traceId.pushUint8(0);
      for (let at = start; at < start + byteCount * 2; at += 2) {
        this.#traceId.pushUint8(hexDigit(bytes[at]) * 16 + hexDigit(bytes[at + 1]));
      }
      return;
    }
    this.#traceId.pushZero();
  }
}

function isHex(bytes: Uint8Array, start: number, length: number): boolean {
  for (let at = start; at < start + length; at++) if (hexDigit(bytes[at]) === -1) return false;
  return true;
}

/** Returns the value of an ASCII digit, or -1. */
function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

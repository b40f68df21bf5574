/** The columns of `histograms_head` as sinks, in table order. */
import type { ByteView } from '#wire/protobuf/byte-view.ts';
import { ArrayColumn } from './column-array.ts';
import { FixedColumn } from './column-fixed.ts';
import { LowCardinalityColumn } from './column-low-cardinality.ts';
import type { BucketSide, NativeHistogram } from './native-histogram.ts';
import { twoTo32 } from './record-window.ts';
import { TableSink } from './table-sink.ts';

class SideColumns {
  readonly offsets = new ArrayColumn(new FixedColumn('Int32'));
  readonly lengths = new ArrayColumn(new FixedColumn('UInt32'));
  readonly counts = new ArrayColumn(new FixedColumn('Float64'));

  push(side: BucketSide): void {
    for (let i = 0; i < side.spanCount; i++) {
      this.offsets.elements.pushUint32(side.offsets[i]);
      this.lengths.elements.pushUint32(side.lengths[i]);
    }
    this.offsets.endRow();
    this.lengths.endRow();
    pushAll(this.counts, side.counts, side.bucketCount);
  }
}

export class HistogramColumns {
  readonly tenant = new LowCardinalityColumn();
  readonly #metric = new LowCardinalityColumn();
  readonly #id = new FixedColumn('UInt64');
  readonly ts = new FixedColumn("DateTime64(3, 'UTC')");
  readonly #startTs = new FixedColumn("DateTime64(3, 'UTC')");
  readonly #schema = new FixedColumn('Int8');
  readonly #resetHint = new FixedColumn('UInt8');
  readonly #count = new FixedColumn('Float64');
  readonly #sum = new FixedColumn('Float64');
  readonly #zeroThreshold = new FixedColumn('Float64');
  readonly #zeroCount = new FixedColumn('Float64');
  readonly #positive = new SideColumns();
  readonly #negative = new SideColumns();
  readonly #customValues = new ArrayColumn(new FixedColumn('Float64'));

  readonly sink = new TableSink('histograms_head', [
    this.tenant,
    this.#metric,
    this.#id,
    this.ts,
    this.#startTs,
    this.#schema,
    this.#resetHint,
    this.#count,
    this.#sum,
    this.#zeroThreshold,
    this.#zeroCount,
    this.#positive.offsets,
    this.#positive.lengths,
    this.#positive.counts,
    this.#negative.offsets,
    this.#negative.lengths,
    this.#negative.counts,
    this.#customValues,
  ]);

  /** The histogram must have passed the rules; its times must be in the record window. The tenant is left out. */
  push(
    metric: ByteView,
    start: number,
    length: number,
    idLow: number,
    idHigh: number,
    from: NativeHistogram,
  ): void {
    this.#metric.pushRange(metric, start, length);
    this.#id.pushUint64(idLow, idHigh);
    this.ts.pushUint64(from.unixMs % twoTo32, Math.floor(from.unixMs / twoTo32));
    this.#startTs.pushUint64(from.startMs % twoTo32, Math.floor(from.startMs / twoTo32));
    this.#schema.pushUint8(from.schema & 0xff);
    this.#resetHint.pushUint8(from.resetHint);
    this.#count.pushFloat64(from.count);
    this.#sum.pushUint64(from.sumLow, from.sumHigh);
    this.#zeroThreshold.pushFloat64(from.zeroThreshold);
    this.#zeroCount.pushFloat64(from.zeroCount);
    this.#positive.push(from.positive);
    this.#negative.push(from.negative);
    pushAll(this.#customValues, from.customValues, from.customCount);
  }
}

function pushAll(column: ArrayColumn<FixedColumn>, values: Float64Array, count: number): void {
  for (let i = 0; i < count; i++) column.elements.pushFloat64(values[i]);
  column.endRow();
}

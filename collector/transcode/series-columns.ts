/** The columns of `metric_metadata`, `series`, `sample_starts` and `samples_head` as sinks, in table order. */
import { FixedColumn } from './column-fixed.ts';
import { LowCardinalityColumn } from './column-low-cardinality.ts';
import { MapColumn } from './column-map.ts';
import { StringColumn } from './column-string.ts';
import { TableSink } from './table-sink.ts';

export class SampleColumns {
  readonly tenant = new LowCardinalityColumn();
  readonly metric = new LowCardinalityColumn();
  readonly id = new FixedColumn('UInt64');
  readonly ts = new FixedColumn("DateTime64(3, 'UTC')");
  readonly v = new FixedColumn('Float64');

  readonly sink = new TableSink('samples_head', [this.tenant, this.metric, this.id, this.ts, this.v]);
}

export class SampleStartColumns {
  readonly tenant = new LowCardinalityColumn();
  readonly metric = new LowCardinalityColumn();
  readonly id = new FixedColumn('UInt64');
  readonly ts = new FixedColumn("DateTime64(3, 'UTC')");
  readonly startTs = new FixedColumn("DateTime64(3, 'UTC')");

  readonly sink = new TableSink('sample_starts', [this.tenant, this.metric, this.id, this.ts, this.startTs]);
}

export class SeriesColumns {
  readonly tenant = new LowCardinalityColumn();
  readonly metric = new LowCardinalityColumn();
  readonly id = new FixedColumn('UInt64');
  readonly labels = new MapColumn(new StringColumn());
  readonly tMin = new FixedColumn("DateTime('UTC')");
  readonly tMax = new FixedColumn("DateTime('UTC')");

  readonly sink = new TableSink('series', [
    this.tenant,
    this.metric,
    this.id,
    this.labels,
    this.tMin,
    this.tMax,
  ]);
}

export class MetadataColumns {
  readonly tenant = new LowCardinalityColumn();
  readonly metric = new LowCardinalityColumn();
  readonly type = new LowCardinalityColumn();
  readonly help = new StringColumn();
  readonly unit = new LowCardinalityColumn();
  readonly updated = new FixedColumn("DateTime('UTC')");

  readonly sink = new TableSink('metric_metadata', [
    this.tenant,
    this.metric,
    this.type,
    this.help,
    this.unit,
    this.updated,
  ]);
}

/** The columns of `logs` as sinks, in table order. */
import { FixedColumn } from './column-fixed.ts';
import { LowCardinalityColumn } from './column-low-cardinality.ts';
import { MapColumn } from './column-map.ts';
import { StringColumn } from './column-string.ts';
import { TableSink } from './table-sink.ts';

export class LogColumns {
  readonly tenant = new LowCardinalityColumn();
  readonly ts = new FixedColumn("DateTime64(9, 'UTC')");
  readonly observedTs = new FixedColumn("DateTime64(9, 'UTC')");
  readonly service = new LowCardinalityColumn();
  readonly streamId = new FixedColumn('UInt64');
  readonly severity = new FixedColumn('UInt8');
  readonly level = new LowCardinalityColumn();
  readonly severityText = new LowCardinalityColumn();
  readonly traceId = new FixedColumn('FixedString(16)');
  readonly spanId = new FixedColumn('FixedString(8)');
  readonly flags = new FixedColumn('UInt8');
  readonly scopeName = new LowCardinalityColumn();
  readonly scopeVersion = new LowCardinalityColumn();
  readonly labels = new MapColumn(new LowCardinalityColumn());
  readonly attrs = new MapColumn(new StringColumn());
  readonly body = new StringColumn();

  readonly sink = new TableSink('logs', [
    this.tenant,
    this.ts,
    this.observedTs,
    this.service,
    this.streamId,
    this.severity,
    this.level,
    this.severityText,
    this.traceId,
    this.spanId,
    this.flags,
    this.scopeName,
    this.scopeVersion,
    this.labels,
    this.attrs,
    this.body,
  ]);
}

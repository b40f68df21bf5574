/** The columns of `spans` and `trace_index` as sinks, in table order. */
import { ArrayColumn } from './column-array.ts';
import { FixedColumn } from './column-fixed.ts';
import { LowCardinalityColumn } from './column-low-cardinality.ts';
import { MapColumn } from './column-map.ts';
import { StringColumn } from './column-string.ts';
import { TableSink } from './table-sink.ts';

export class SpanColumns {
  readonly tenant = new LowCardinalityColumn();
  readonly ts = new FixedColumn("DateTime64(9, 'UTC')");
  readonly traceId = new FixedColumn('FixedString(16)');
  readonly spanId = new FixedColumn('FixedString(8)');
  readonly parentId = new FixedColumn('FixedString(8)');
  readonly traceState = new StringColumn();
  readonly service = new LowCardinalityColumn();
  readonly name = new LowCardinalityColumn();
  readonly kind = new FixedColumn('Int8');
  readonly durationNs = new FixedColumn('UInt64');
  readonly status = new FixedColumn('Int8');
  readonly statusMessage = new StringColumn();
  readonly scopeName = new LowCardinalityColumn();
  readonly scopeVersion = new LowCardinalityColumn();
  readonly labels = new MapColumn(new LowCardinalityColumn());
  readonly attrs = new MapColumn(new StringColumn());
  readonly eventTs = new ArrayColumn(new FixedColumn("DateTime64(9, 'UTC')"));
  readonly eventName = new ArrayColumn(new LowCardinalityColumn());
  readonly eventAttrs = new ArrayColumn(new MapColumn(new StringColumn()));
  readonly linkTraceId = new ArrayColumn(new FixedColumn('FixedString(16)'));
  readonly linkSpanId = new ArrayColumn(new FixedColumn('FixedString(8)'));
  readonly linkTraceState = new ArrayColumn(new StringColumn());
  readonly linkAttrs = new ArrayColumn(new MapColumn(new StringColumn()));

  readonly sink = new TableSink('spans', [
    this.tenant,
    this.ts,
    this.traceId,
    this.spanId,
    this.parentId,
    this.traceState,
    this.service,
    this.name,
    this.kind,
    this.durationNs,
    this.status,
    this.statusMessage,
    this.scopeName,
    this.scopeVersion,
    this.labels,
    this.attrs,
    this.eventTs,
    this.eventName,
    this.eventAttrs,
    this.linkTraceId,
    this.linkSpanId,
    this.linkTraceState,
    this.linkAttrs,
  ]);
}

export class TraceIndexColumns {
  readonly tenant = new LowCardinalityColumn();
  readonly traceId = new FixedColumn('FixedString(16)');
  readonly tMin = new FixedColumn("DateTime('UTC')");
  readonly tMax = new FixedColumn("DateTime('UTC')");

  readonly sink = new TableSink('trace_index', [this.tenant, this.traceId, this.tMin, this.tMax]);
}

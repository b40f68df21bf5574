/** The columns of `landed_batches`: one row for each request that has an identity of its own. */
import { FixedColumn } from './column-fixed.ts';
import { LowCardinalityColumn } from './column-low-cardinality.ts';
import { StringColumn } from './column-string.ts';
import { textBytes } from './resource-scope.ts';
import { TableSink } from './table-sink.ts';

export class LandedColumns {
  readonly tenant = new LowCardinalityColumn();
  readonly batch = new StringColumn();
  readonly landedAt = new FixedColumn("DateTime('UTC')");

  readonly sink = new TableSink('landed_batches', [this.tenant, this.batch, this.landedAt]);

  push(tenant: string, batch: string, landedAtSeconds: number): void {
    const name = textBytes(tenant);
    const id = textBytes(batch);
    this.tenant.pushRange(name, 0, name.bytes.length);
    this.batch.pushRange(id, 0, id.bytes.length);
    this.landedAt.pushUint32(landedAtSeconds);
  }
}

/**
 * Where the fields of an OTLP Metric are in the request.
 *
 *   Metric => name:string (1) description:string (2) unit:string (3)
 *             gauge (5) | sum (7) | histogram (9) | exponential_histogram (10) | summary (11)
 */
import type { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';

export const fieldGauge = 5;
export const fieldSum = 7;
export const fieldHistogram = 9;
export const fieldExponentialHistogram = 10;
export const fieldSummary = 11;

export class MetricMessage {
  nameStart = 0;
  nameEnd = 0;
  helpStart = 0;
  helpEnd = 0;
  unitStart = 0;
  unitEnd = 0;
  /** Which kind of points the metric has; 0 where it has none that we know. */
  dataField = 0;
  dataStart = 0;
  dataEnd = 0;
  readonly #reader: ProtobufReader;

  constructor(reader: ProtobufReader) {
    this.#reader = reader;
  }

  /** Finds the fields of the Metric that is [start, end) of the request. Of several data fields the last counts. */
  read(start: number, end: number): void {
    const reader = this.#reader;
    this.nameEnd = this.nameStart = start;
    this.helpEnd = this.helpStart = start;
    this.unitEnd = this.unitStart = start;
    this.dataField = 0;
    reader.seek(start, end);
    while (reader.position < end) {
      const tag = reader.readTag();
      if ((tag & 7) !== 2 || tag > (fieldSummary << 3) + 2) {
        reader.skip();
        continue;
      }
      const length = reader.readLength();
      const from = reader.position;
      const to = from + length;
      reader.position = to;
      switch (tag >>> 3) {
        case 1:
          this.nameStart = from;
          this.nameEnd = to;
          break;
        case 2:
          this.helpStart = from;
          this.helpEnd = to;
          break;
        case 3:
          this.unitStart = from;
          this.unitEnd = to;
          break;
        case fieldGauge:
        case fieldSum:
        case fieldHistogram:
        case fieldExponentialHistogram:
        case fieldSummary:
          this.dataField = tag >>> 3;
          this.dataStart = from;
          this.dataEnd = to;
      }
    }
  }
}

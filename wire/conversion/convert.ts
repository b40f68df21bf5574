/** The one function that turns a body of any foreign format into a body of the bus: what threads and receivers call. */
import { convertInfluxLines } from '../influx/convert-influx-lines.ts';
import { convertLokiJson } from '../loki/convert-loki-json.ts';
import { convertLokiProtobuf } from '../loki/convert-loki-protobuf.ts';
import { convertOtlpJson } from '../otlp-json/convert-otlp-json.ts';
import { convertZipkinJson } from '../zipkin/convert-zipkin-json.ts';
import type { Conversion, ConversionTask } from './conversion.ts';

/** Pure. Throws RefusedError: 400 and where it is wrong, or 413 where the result is over task.bytesMax. */
export function convert(task: ConversionTask): Conversion {
  switch (task.format) {
    case 'otlp_json_logs':
      return convertOtlpJson('logs', task);
    case 'otlp_json_traces':
      return convertOtlpJson('traces', task);
    case 'otlp_json_metrics':
      return convertOtlpJson('metrics', task);
    case 'loki_json':
      return convertLokiJson(task);
    case 'loki_protobuf':
      return convertLokiProtobuf(task);
    case 'zipkin_json':
      return convertZipkinJson(task);
    case 'influx_lines':
      return convertInfluxLines(task);
    default:
      return task.format satisfies never;
  }
}

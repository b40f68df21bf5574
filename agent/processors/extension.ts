/**
 * The public entry for log processors of your own: a module that exports one, as `default`.
 *
 *   import { defineLogProcessor } from 'sonde/log-processor';
 *   export default defineLogProcessor({
 *     create: () => ({
 *       process: (record) => (record.body.includes('secret') ? 'drop' : undefined),
 *     }),
 *   });
 *
 * The module runs in a thread of its own, in Node's TypeScript (types are stripped: no enums, no decorators). It may import
 * `sonde/log-processor` and `zod`, whatever it finds beside it, and Node's own modules. For an editor to know the types, map
 * `sonde/log-processor` to this file in `compilerOptions.paths`.
 */

/** A value of an attribute. Integers are numbers up to 2^53 and bigints beyond. */
export type LogAttribute = string | number | bigint | boolean;

/** One log record. It is frozen: to change it, return another. */
export interface LogRecord {
  readonly body: string;
  /** OTLP, Logs data model: 1 to 24; 9 is INFO, 17 is ERROR; 0 is unknown. */
  readonly severityNumber: number;
  readonly severityText: string;
  /** Unix ns; 0n is unknown: the collector then puts its own time. */
  readonly timeUnixNano: bigint;
  readonly attributes: Readonly<Record<string, LogAttribute>>;
  /** Who wrote it: `k8s.namespace.name`, `service.name`, ... Shared by records, and not to be changed. */
  readonly resource: Readonly<Record<string, LogAttribute>>;
}

/** A processor that was made for one entry of the configuration. */
export interface LogProcessorInstance {
  /**
   * Decides on one record: undefined keeps it, `'drop'` drops it, another record takes its place. Must return at once: it
   * has the entry's `timeout_ms` for a whole batch. Should depend on the record only: a batch that is sent again after a
   * crash is processed again. What it throws fails the batch (`on_error`) and starts the module anew.
   */
  process(record: LogRecord): LogRecord | 'drop' | undefined;
}

/** What a module exports. */
export interface LogProcessorModule<Options = unknown> {
  /** Checks the entry's `options` and returns them typed; a zod schema does. What it throws is a configuration error. */
  readonly options?: { parse(input: unknown): Options };
  /** Called once when the module is loaded. */
  create(options: Options): LogProcessorInstance;
}

/** Returns its argument: it is there for its types. */
export function defineLogProcessor<Options>(
  module: LogProcessorModule<Options>,
): LogProcessorModule<Options> {
  return module;
}

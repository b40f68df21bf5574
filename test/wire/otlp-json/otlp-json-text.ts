/** OTLP/JSON as senders write it, from the objects that the naive decoder gives: ids become hexadecimal. */
import type { ProtoObject } from '#test/support/naive/otlp-proto.ts';

const idFields = new Set(['traceId', 'spanId', 'parentSpanId']);

/** Returns the JSON text of a decoded request. */
export function renderOtlpJson(request: ProtoObject): string {
  return JSON.stringify(jsonValue('', request));
}

function jsonValue(name: string, value: unknown): unknown {
  if (value instanceof Uint8Array) {
    return Buffer.from(value).toString(idFields.has(name) ? 'hex' : 'base64');
  }
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (Array.isArray(value)) return value.map((item) => jsonValue(name, item));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, jsonValue(key, item)]));
}

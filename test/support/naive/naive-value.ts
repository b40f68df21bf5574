/** OTLP values as text, the obvious way: from decoded objects, with strings and BigInt. What any-value.ts must equal. */

// biome-ignore lint/suspicious/noExplicitAny: whatever protobufjs decodes.
type Decoded = any;

export function naiveText(value: Decoded): string {
  if (value?.bytesValue !== undefined) return base64(value.bytesValue);
  if (value?.stringValue !== undefined) return value.stringValue;
  if (value?.doubleValue !== undefined) return String(value.doubleValue);
  const json = naiveJson(value);
  return json === 'null' ? '' : json;
}

function naiveJson(value: Decoded): string {
  if (value?.stringValue !== undefined) return JSON.stringify(value.stringValue);
  if (value?.boolValue !== undefined) return String(value.boolValue);
  if (value?.intValue !== undefined) return BigInt(value.intValue).toString();
  if (value?.bytesValue !== undefined) return JSON.stringify(base64(value.bytesValue));
  if (value?.doubleValue !== undefined) {
    return Number.isFinite(value.doubleValue)
      ? String(value.doubleValue)
      : JSON.stringify(String(value.doubleValue));
  }
  if (value?.arrayValue !== undefined) return `[${(value.arrayValue.values ?? []).map(naiveJson).join(',')}]`;
  if (value?.kvlistValue !== undefined) {
    const pairs: Decoded[] = value.kvlistValue.values ?? [];
    return `{${pairs.map((pair) => `${JSON.stringify(pair.key ?? '')}:${naiveJson(pair.value)}`).join(',')}}`;
  }
  return 'null';
}

/** Attributes as pairs of texts, in the order of the request. */
export function naivePairs(attributes: Decoded[] | undefined): [string, string][] {
  return (attributes ?? []).map((pair) => [pair.key ?? '', naiveText(pair.value)]);
}

export function hex(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString('hex');
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

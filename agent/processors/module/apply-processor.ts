/**
 * Runs a module's processor over a request: bytes in, bytes out. What it returns is checked: types alone do not stop a
 * module from returning anything.
 */
import type { LogAttribute, LogProcessorInstance, LogRecord } from '../extension.ts';
import type { ProcessCounts } from './module-messages.ts';
import { decodeRequest, encodeRequest } from './record-objects.ts';

/** What a record may become: more is a mistake. */
const bodyCharsMax = 1024 * 1024;
const attributesMax = 512;
const severityNumberMax = 24;

export interface Processed {
  readonly bytes: Uint8Array;
  readonly counts: ProcessCounts;
  readonly records: readonly number[];
}

/** Throws what the processor throws, and TypeError for what it may not return. */
export function applyProcessor(
  instance: LogProcessorInstance,
  bytes: Uint8Array,
  isMeant: readonly boolean[],
): Processed {
  const groups = decodeRequest(bytes);
  const counts = { in: 0, dropped: 0, changed: 0 };
  for (const [index, group] of groups.entries()) {
    if (isMeant[index] !== true) continue;
    const kept: LogRecord[] = [];
    for (const record of group.records) {
      counts.in++;
      const result = instance.process(record);
      if (result === 'drop') counts.dropped++;
      else if (result === undefined || result === record) kept.push(record);
      else {
        kept.push(checkRecord(result));
        counts.changed++;
      }
    }
    group.records = kept;
  }
  const records = groups.map((group) => group.records.length);
  return { bytes: counts.dropped + counts.changed === 0 ? bytes : encodeRequest(groups), counts, records };
}

function checkRecord(record: LogRecord): LogRecord {
  if (typeof record !== 'object' || record === null) {
    throw new TypeError(`process() returned ${String(record)}: expected undefined, 'drop' or a record`);
  }
  const { body, severityNumber, severityText, timeUnixNano, attributes } = record;
  expect(
    typeof body === 'string' && body.length <= bodyCharsMax,
    'body',
    `a string of at most ${bodyCharsMax} characters`,
  );
  const isSeverity =
    Number.isInteger(severityNumber) && severityNumber >= 0 && severityNumber <= severityNumberMax;
  expect(isSeverity, 'severityNumber', 'a whole number from 0 to 24');
  expect(typeof severityText === 'string', 'severityText', 'a string');
  expect(
    typeof timeUnixNano === 'bigint' && timeUnixNano === BigInt.asUintN(63, timeUnixNano),
    'timeUnixNano',
    'a bigint of ns',
  );
  expect(typeof attributes === 'object' && attributes !== null, 'attributes', 'an object');
  const entries = Object.entries(attributes);
  expect(entries.length <= attributesMax, 'attributes', `at most ${attributesMax} names`);
  for (const [name, value] of entries)
    expect(isAttribute(value), `attributes.${name}`, 'a string, number, bigint or boolean');
  return record;
}

function isAttribute(value: LogAttribute): boolean {
  if (typeof value === 'bigint') return value === BigInt.asIntN(64, value);
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

function expect(isRight: boolean, what: string, expected: string): void {
  if (!isRight) throw new TypeError(`process() returned a record with a wrong ${what}: expected ${expected}`);
}

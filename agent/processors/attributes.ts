/**
 * `attributes`: deletes, renames and sets attributes of records, and with `resource` those of the resource.
 *
 *   - attributes: { delete: [span_id], rename: { trace: trace_id }, set: { team: shop }, resource: { set: { env: prod } } }
 *
 * In that order: what is renamed or set replaces an attribute of that name.
 */
import { z } from 'zod';
import { encodeKeyValues } from '#wire/otlp/key-values.ts';
import { type LogRecordFields, logAttributesField } from '#wire/otlp/log-record.ts';
import { ByteWriter, copyBytes } from '#wire/protobuf/byte-writer.ts';
import type { LogResource } from '../logs/resource/path-resource.ts';
import {
  AttributeCursor,
  type AttributeName,
  attributeName,
  setAttributes,
  writeAttribute,
} from './attribute-fields.ts';
import { type RecordProcessor, verdictChanged, verdictKept } from './record-pipeline.ts';

const nameSchema = z.string().min(1).max(256);
const valueSchema = z.union([z.string().max(4096), z.number().int().min(0)]);
const editSchema = z.strictObject({
  set: z.record(nameSchema, valueSchema).default({}),
  rename: z.record(nameSchema, nameSchema).default({}),
  delete: z.array(nameSchema).max(1000).default([]),
});

export const attributesSchema = editSchema.extend({ resource: editSchema.optional() });
type AttributesOptions = z.infer<typeof attributesSchema>;
type Edit = z.infer<typeof editSchema>;

/** The resource as records of it are shipped. */
export function editResource({ resource: edit }: AttributesOptions, resource: LogResource): LogResource {
  if (edit === undefined) return resource;
  const changed = new Map(Object.entries(resource));
  for (const name of edit.delete) changed.delete(name);
  for (const [from, to] of Object.entries(edit.rename)) {
    const value = changed.get(from);
    if (value === undefined) continue;
    changed.delete(from);
    changed.set(to, value);
  }
  for (const [name, value] of Object.entries(edit.set)) changed.set(name, value);
  return Object.fromEntries(changed);
}

export function editsRecords({ set, rename, delete: deleted }: Edit): boolean {
  return Object.keys(set).length + Object.keys(rename).length + deleted.length > 0;
}

interface Renaming {
  readonly from: Buffer;
  readonly to: Buffer;
  readonly name: AttributeName;
}

export class AttributesProcessor implements RecordProcessor {
  /** Names of attributes that go: deleted ones, and those that others take the place of. */
  readonly #deleted: readonly Buffer[];
  readonly #renamed: readonly Renaming[];
  readonly #replaced: readonly Buffer[];
  readonly #set: Buffer;
  readonly #out = new ByteWriter(256);
  readonly #cursor = new AttributeCursor();

  constructor({ set, rename, delete: deleted }: AttributesOptions) {
    this.#deleted = deleted.map((name) => Buffer.from(name));
    this.#renamed = Object.entries(rename).map(([from, to]) => ({
      from: Buffer.from(from),
      to: Buffer.from(to),
      name: attributeName(Buffer.from(to)),
    }));
    this.#replaced = Object.keys(set).map((name) => Buffer.from(name));
    this.#set = encodeKeyValues(logAttributesField, set);
  }

  process(record: LogRecordFields): number {
    const cursor = this.#cursor;
    const out = this.#out;
    const { attributes } = record;
    const taken = this.#takenNames(record);
    let isChanged = this.#set.length > 0;
    out.clear();
    cursor.begin(record);
    while (cursor.next()) {
      const renaming = this.#renamed.find(({ from }) => cursor.isKey(from));
      if (this.#isGone(renaming, taken)) isChanged = true;
      else if (renaming !== undefined) {
        isChanged = true;
        writeAttribute(out, renaming.name, attributes, cursor.valueFrom, cursor.valueTo);
      } else {
        out.reserve(cursor.fieldTo - cursor.fieldFrom);
        copyBytes(out, attributes, cursor.fieldFrom, cursor.fieldTo);
      }
    }
    if (!isChanged) return verdictKept;
    out.reserve(this.#set.length);
    out.bytes.set(this.#set, out.position);
    out.position += this.#set.length;
    setAttributes(record, out);
    return verdictChanged;
  }

  /** Of the renamings: those whose attribute is there. */
  #takenNames(record: LogRecordFields): readonly Renaming[] {
    if (this.#renamed.length === 0) return [];
    const taken: Renaming[] = [];
    this.#cursor.begin(record);
    while (this.#cursor.next()) {
      if (this.#deleted.some((name) => this.#cursor.isKey(name))) continue;
      const renaming = this.#renamed.find(({ from }) => this.#cursor.isKey(from));
      if (renaming !== undefined && !taken.some(({ to }) => to.equals(renaming.to))) taken.push(renaming);
    }
    return taken;
  }

  #isGone(renaming: Renaming | undefined, taken: readonly Renaming[]): boolean {
    const cursor = this.#cursor;
    if (this.#deleted.some((name) => cursor.isKey(name))) return true;
    if (renaming !== undefined) {
      const isReplaced = this.#replaced.some((name) => name.equals(renaming.to));
      return isReplaced || !taken.includes(renaming);
    }
    return this.#replaced.some((name) => cursor.isKey(name)) || taken.some(({ to }) => cursor.isKey(to));
  }
}

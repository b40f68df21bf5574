/**
 * The messages of OTLP as a table: what JSON calls a field, its number in protobuf, and how its value is written.
 *
 *   { timeUnixNano: { number: 1, kind: 'fixed64' } }    "timeUnixNano":"5"  ->  09 05 00 00 00 00 00 00 00
 *
 * Field names are lowerCamelCase only: the OTLP/JSON encoding does not allow the original ones.
 */

/** How a value is written. `enum` is an integer only; `hex` is bytes that are hexadecimal in JSON: ids. */
export type ScalarKind =
  | 'string'
  | 'bytes'
  | 'hex'
  | 'bool'
  | 'double'
  | 'fixed64'
  | 'sfixed64'
  | 'uint64'
  | 'int64'
  | 'uint32'
  | 'sint32'
  | 'fixed32'
  | 'enum';

export interface FieldShape {
  readonly name: string;
  readonly nameBytes: Uint8Array;
  readonly number: number;
  readonly kind: ScalarKind | 'message';
  readonly isRepeated: boolean;
  /** Of kind `message`. */
  readonly message: MessageShape | undefined;
}

/** The message may be given later, as values nest in themselves. */
type FieldSource = readonly [
  number: number,
  kind: ScalarKind | MessageShape | (() => MessageShape),
  repeated?: 'repeated',
];

export class MessageShape {
  readonly fields: readonly FieldShape[];

  constructor(fields: Readonly<Record<string, FieldSource>>) {
    this.fields = Object.entries(fields).map(([name, [number, kind, repeated]]) => ({
      name,
      nameBytes: new TextEncoder().encode(name),
      number,
      kind: typeof kind === 'string' ? kind : ('message' as const),
      isRepeated: repeated !== undefined,
      get message() {
        return typeof kind === 'function' ? kind() : typeof kind === 'string' ? undefined : kind;
      },
    }));
  }
}

/**
 * Reads a ClickHouse type name into the shape of its bytes.
 *   "Map(LowCardinality(String), String)" -> { kind: 'map', key: { kind: 'dictionary', ... }, value: { kind: 'string' } }
 */
import { DecodeError } from '#model/errors.ts';

export type NumberName = 'UInt8' | 'UInt16' | 'UInt32' | 'Int8' | 'Int16' | 'Int32' | 'Float32';

export type NativeType =
  | { readonly kind: 'number'; readonly number: NumberName }
  | { readonly kind: 'integer64'; readonly signed: boolean }
  | { readonly kind: 'float64' }
  | { readonly kind: 'string' }
  | { readonly kind: 'fixed-string'; readonly width: number }
  | { readonly kind: 'dictionary'; readonly key: NativeType; readonly nullable: boolean }
  | { readonly kind: 'array'; readonly item: NativeType }
  | { readonly kind: 'map'; readonly key: NativeType; readonly value: NativeType }
  | { readonly kind: 'nullable'; readonly item: NativeType };

/** Ours are below 100; a tuple of many names is not read anyway. */
const typeNameLengthMax = 1000;
/** Array(Map(LowCardinality(Nullable(String)), ...)) is four. */
const typeDepthMax = 8;
/** FixedString holds ids here. */
const fixedWidthMax = 4096;

const simpleTypes: Readonly<Record<string, NativeType>> = {
  UInt8: { kind: 'number', number: 'UInt8' },
  UInt16: { kind: 'number', number: 'UInt16' },
  UInt32: { kind: 'number', number: 'UInt32' },
  Int8: { kind: 'number', number: 'Int8' },
  Int16: { kind: 'number', number: 'Int16' },
  Int32: { kind: 'number', number: 'Int32' },
  Float32: { kind: 'number', number: 'Float32' },
  Bool: { kind: 'number', number: 'UInt8' },
  Date: { kind: 'number', number: 'UInt16' },
  Date32: { kind: 'number', number: 'Int32' },
  DateTime: { kind: 'number', number: 'UInt32' },
  UInt64: { kind: 'integer64', signed: false },
  Int64: { kind: 'integer64', signed: true },
  Float64: { kind: 'float64' },
  String: { kind: 'string' },
};

/** Types whose bytes do not depend on what is in the parentheses. */
const parametricTypes: Readonly<Record<string, NativeType>> = {
  DateTime: { kind: 'number', number: 'UInt32' },
  DateTime64: { kind: 'integer64', signed: true },
  Enum8: { kind: 'number', number: 'Int8' },
  Enum16: { kind: 'number', number: 'Int16' },
};

/** Types of our own queries: few, and the same in every block. */
const known = new Map<string, NativeType>();
const knownCountMax = 1000;

/** Returns the type, or throws DecodeError naming one that is not read; `position` is where it stands in the input. */
export function parseTypeName(name: string, position: number): NativeType {
  const before = known.get(name);
  if (before !== undefined) return before;
  if (name.length > typeNameLengthMax)
    throw new DecodeError('native block: a type name is too long', position);
  const type = parse(name.trim(), position, 0);
  if (known.size < knownCountMax) known.set(name, type);
  return type;
}

function parse(name: string, position: number, depth: number): NativeType {
  if (depth > typeDepthMax) throw new DecodeError('native block: a type is nested too deeply', position);
  const simple = simpleTypes[name];
  if (simple !== undefined) return simple;
  const open = name.indexOf('(');
  const unknown = () => new DecodeError(`native block: type ${name} is not supported`, position);
  if (open === -1 || !name.endsWith(')')) throw unknown();
  const outer = name.slice(0, open);
  const inner = name.slice(open + 1, -1);
  const child = (text: string) => parse(text.trim(), position, depth + 1);
  const parametric = parametricTypes[outer];
  if (parametric !== undefined) return parametric;
  switch (outer) {
    case 'FixedString': {
      const width = Number(inner);
      if (!Number.isInteger(width) || width < 1 || width > fixedWidthMax) throw unknown();
      return { kind: 'fixed-string', width };
    }
    case 'Nullable':
      return { kind: 'nullable', item: child(inner) };
    case 'Array':
      return { kind: 'array', item: child(inner) };
    case 'LowCardinality': {
      const key = child(inner);
      return key.kind === 'nullable'
        ? { kind: 'dictionary', key: key.item, nullable: true }
        : { kind: 'dictionary', key, nullable: false };
    }
    case 'Map':
    case 'SimpleAggregateFunction': {
      const [first, second, ...more] = splitArguments(inner);
      if (first === undefined || second === undefined || more.length > 0) throw unknown();
      return outer === 'Map' ? { kind: 'map', key: child(first), value: child(second) } : child(second);
    }
    default:
      throw unknown();
  }
}

/** Splits at the commas that are outside of parentheses. */
function splitArguments(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '(') depth++;
    else if (character === ')') depth--;
    else if (character === ',' && depth === 0) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}

/**
 * Prometheus's ReadRequest (prompb/remote.proto): which series of which times are asked for, and in what form.
 *
 *   ReadRequest => queries:Query* accepted_response_types:ResponseType*
 *   Query => start_timestamp_ms end_timestamp_ms matchers:LabelMatcher* hints
 */
import snappy from 'snappyjs';
import { DecodeError } from '#model/errors.ts';
import type { LabelMatcher } from '#model/labels.ts';
import { isSnappyBlock } from '#model/snappy-block.ts';
import { compileAnchoredRegex } from '../language/regex.ts';
import { bytesOf, numberOf, numbersOf, readFields, textOf } from '../protobuf/protobuf-reader.ts';

/** What a reader understands, in the order of its preference. */
export type ReadResponseType = 'samples' | 'streamed_xor_chunks';

export interface ReadQuery {
  /** Milliseconds since 1970; both inclusive. */
  readonly startMs: number;
  readonly endMs: number;
  readonly matchers: readonly LabelMatcher[];
}

export interface ReadRequest {
  readonly queries: readonly ReadQuery[];
  /** The first accepted type that we have; undefined where there is none. */
  readonly responseType: ReadResponseType | undefined;
}

/** Prometheus's own bound on the body, packed and unpacked. */
export const readRequestBytesMax = 32 * 1024 * 1024;
/** Each is a read of the store. */
const queriesMax = 1000;
const matchersMax = 1000;

/** Undoes the snappy block format. Throws DecodeError. */
export function decodeReadRequest(body: Uint8Array): ReadRequest {
  if (!isSnappyBlock(body)) throw new DecodeError('snappy: the body is not a whole block', 0);
  let plain: Uint8Array;
  try {
    plain = snappy.uncompress(body, readRequestBytesMax);
  } catch (error) {
    throw new DecodeError(`snappy: ${error instanceof Error ? error.message : String(error)}`, 0);
  }
  return parseReadRequest(plain);
}

/** Throws DecodeError. */
export function parseReadRequest(bytes: Uint8Array): ReadRequest {
  const queries: ReadQuery[] = [];
  const accepted: number[] = [];
  for (const field of readFields(bytes)) {
    if (field.number === 1) {
      if (queries.length === queriesMax) {
        throw new DecodeError(`more than ${queriesMax} queries in one request`, field.position);
      }
      queries.push(parseQuery(bytesOf(field)));
    } else if (field.number === 2) {
      for (const type of numbersOf(field)) accepted.push(type);
    }
  }
  return { queries, responseType: chooseType(accepted) };
}

function chooseType(accepted: readonly number[]): ReadResponseType | undefined {
  if (accepted.length === 0) return 'samples';
  const known = accepted.find((type) => type === 0 || type === 1);
  if (known === undefined) return undefined;
  return known === 0 ? 'samples' : 'streamed_xor_chunks';
}

function parseQuery(bytes: Uint8Array): ReadQuery {
  let startMs = 0;
  let endMs = 0;
  const matchers: LabelMatcher[] = [];
  for (const field of readFields(bytes)) {
    if (field.number === 1) startMs = numberOf(field);
    else if (field.number === 2) endMs = numberOf(field);
    else if (field.number === 3) {
      if (matchers.length === matchersMax) {
        throw new DecodeError(`more than ${matchersMax} matchers in one query`, field.position);
      }
      matchers.push(parseMatcher(bytesOf(field), field.position));
    }
    // Hints would let us leave samples out; the reader does not rely on it.
  }
  return { startMs, endMs, matchers };
}

const operators = ['=', '!=', '=~', '!~'] as const;

function parseMatcher(bytes: Uint8Array, position: number): LabelMatcher {
  let type = 0;
  let name = '';
  let value = '';
  for (const field of readFields(bytes)) {
    if (field.number === 1) type = numberOf(field);
    else if (field.number === 2) name = textOf(field);
    else if (field.number === 3) value = textOf(field);
  }
  const op = operators[type];
  if (op === undefined) throw new DecodeError(`a matcher has the type ${type}`, position);
  if (op === '=~' || op === '!~') {
    const compiled = compileAnchoredRegex(value);
    if ('mistake' in compiled) throw new DecodeError(compiled.mistake, position);
  }
  return { name, op, value };
}

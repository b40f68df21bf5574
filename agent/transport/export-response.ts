/**
 * Reads what an OTLP receiver answers: the partial success of an export, and the message of a `google.rpc.Status`.
 * Both are hints for people and counters, so damage reads as nothing rather than as an error.
 *
 *   Export{Logs,Trace,Metrics}ServiceResponse => partial_success:1 { rejected:1 varint, error_message:2 string }
 *   Status                                    => code:1 varint, message:2 string
 */

export interface PartialSuccess {
  readonly rejected: number;
  readonly message: string;
}

/** Returns what was rejected; zero and '' where all was taken or the body is not an export response. */
export function readPartialSuccess(body: Uint8Array): PartialSuccess {
  const partial = readFields(body).bytes.get(1);
  if (partial === undefined) return { rejected: 0, message: '' };
  const { numbers, bytes } = readFields(partial);
  return { rejected: numbers.get(1) ?? 0, message: text(bytes.get(2)) };
}

/** Returns the message of a Status body, or '' where it has none. */
export function readStatusMessage(body: Uint8Array): string {
  return text(readFields(body).bytes.get(2));
}

interface Fields {
  readonly numbers: Map<number, number>;
  readonly bytes: Map<number, Uint8Array>;
}

/** Reads the varint and length-delimited fields of one message; stops at the first thing it cannot read. */
function readFields(body: Uint8Array): Fields {
  const fields: Fields = { numbers: new Map(), bytes: new Map() };
  let at = 0;
  const varint = (): number | undefined => {
    let value = 0;
    for (let shift = 0; shift < 53; shift += 7) {
      const byte = body[at++];
      if (byte === undefined) return undefined;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    return undefined;
  };
  while (at < body.length) {
    const tag = varint();
    const value = varint();
    if (tag === undefined || value === undefined) return fields;
    if ((tag & 7) === 0) {
      fields.numbers.set(tag >>> 3, value);
    } else if ((tag & 7) === 2 && at + value <= body.length) {
      fields.bytes.set(tag >>> 3, body.subarray(at, at + value));
      at += value;
    } else {
      return fields;
    }
  }
  return fields;
}

function text(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? '' : new TextDecoder().decode(bytes);
}

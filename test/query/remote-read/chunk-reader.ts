/**
 * Reads Prometheus's chunks one bit at a time, straight from their description: to check the encoder, not to be fast.
 * Values are bits as text, so that NaN are compared exactly.
 */

class BitReader {
  readonly #bits: string;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  }

  take(count: number): bigint {
    const text = this.#bits.slice(this.#at, this.#at + count);
    if (text.length < count) throw new Error('the chunk is cut off');
    this.#at += count;
    return count === 0 ? 0n : BigInt(`0b${text}`);
  }

  /** Ones up to `max`, and the zero behind them. */
  ones(max: number): number {
    let count = 0;
    while (count < max && this.take(1) === 1n) count++;
    return count;
  }

  uvarint(): bigint {
    for (let value = 0n, shift = 0n; ; shift += 7n) {
      const byte = this.take(8);
      value |= (byte & 0x7fn) << shift;
      if (byte < 0x80n) return value;
    }
  }

  varint(): bigint {
    const value = this.uvarint();
    return value & 1n ? -(value >> 1n) - 1n : value >> 1n;
  }

  /** As Prometheus reads its two's complements: the largest positive number takes the place of the smallest. */
  signed(count: number): bigint {
    const value = this.take(count);
    return value > 1n << BigInt(count - 1) ? value - (1n << BigInt(count)) : value;
  }

  /** 0 alone, or a size in ones and as many bits. */
  varbit(isSigned: boolean): bigint {
    const index = this.ones(8);
    if (index === 0) return 0n;
    const size = [3, 6, 9, 12, 18, 25, 56, 64][index - 1]!;
    return isSigned ? this.signed(size) : this.take(size);
  }
}

class Column {
  bits: bigint;
  #leading = 0;
  #trailing = 0;

  constructor(bits: bigint) {
    this.bits = bits;
  }

  read(reader: BitReader): bigint {
    if (reader.take(1) === 0n) return this.bits;
    if (reader.take(1) === 1n) {
      this.#leading = Number(reader.take(5));
      const length = Number(reader.take(6)) || 64;
      this.#trailing = 64 - this.#leading - length;
    }
    const length = 64 - this.#leading - this.#trailing;
    this.bits ^= reader.take(length) << BigInt(this.#trailing);
    return this.bits;
  }
}

export interface ReadSample {
  readonly timeMs: number;
  /** 64 bits as hexadecimal digits. */
  readonly bits: string;
}

const hex = (bits: bigint) => bits.toString(16).padStart(16, '0');

export function readSampleChunk(bytes: Uint8Array): ReadSample[] {
  const reader = new BitReader(bytes);
  const count = Number(reader.take(16));
  let time = 0n;
  let delta = 0n;
  let value = new Column(0n);
  const samples: ReadSample[] = [];
  for (let i = 0; i < count; i++) {
    if (i === 0) {
      time = reader.varint();
      value = new Column(reader.take(64));
    } else {
      if (i === 1) delta = reader.uvarint();
      else {
        const size = [0, 14, 17, 20, 64][reader.ones(4)]!;
        delta += size === 64 ? BigInt.asIntN(64, reader.take(64)) : size === 0 ? 0n : reader.signed(size);
      }
      time += delta;
      value.read(reader);
    }
    samples.push({ timeMs: Number(time), bits: hex(value.bits) });
  }
  return samples;
}

export interface ReadHistogram {
  readonly timeMs: number;
  readonly hint: number;
  readonly schema: number;
  readonly zeroThreshold: number;
  readonly positive: readonly (readonly [offset: number, length: number])[];
  readonly negative: readonly (readonly [offset: number, length: number])[];
  readonly bounds: readonly number[];
  /** Count, zero count, sum, buckets. */
  readonly numbers: readonly number[];
}

function double(bits: bigint): number {
  return new Float64Array(new BigUint64Array([bits]).buffer)[0]!;
}

export function readHistogramChunk(bytes: Uint8Array): ReadHistogram[] {
  const reader = new BitReader(bytes);
  const count = Number(reader.take(16));
  const header = Number(reader.take(8)) >> 6;
  const threshold = Number(reader.take(8));
  const zeroThreshold =
    threshold === 0 ? 0 : threshold === 255 ? double(reader.take(64)) : 2 ** (threshold - 244);
  const schema = Number(reader.varbit(true));
  const spans = () =>
    Array.from({ length: Number(reader.varbit(false)) }, () => {
      const length = Number(reader.varbit(false));
      return [Number(reader.varbit(true)), length] as const;
    });
  const positive = spans();
  const negative = spans();
  const bounds =
    schema !== -53
      ? []
      : Array.from({ length: Number(reader.varbit(false)) }, () => {
          const thousandths = reader.varbit(false);
          return thousandths === 0n ? double(reader.take(64)) : Number(thousandths - 1n) / 1000;
        });
  const width = 3 + [...positive, ...negative].reduce((sum, [, length]) => sum + length, 0);
  const columns: Column[] = [];
  let time = 0n;
  let delta = 0n;
  return Array.from({ length: count }, (_none, i) => {
    if (i === 0) time = reader.varbit(true);
    else {
      delta += reader.varbit(true);
      time += delta;
    }
    for (let column = 0; column < width; column++) {
      if (i === 0) columns.push(new Column(reader.take(64)));
      else columns[column]!.read(reader);
    }
    const hint = header === 3 || i === 0 ? header : 1;
    const numbers = columns.map(({ bits }) => double(bits));
    return { timeMs: Number(time), hint, schema, zeroThreshold, positive, negative, bounds, numbers };
  });
}

/** Times of numbered records: the clock's millisecond, with the number as its nanoseconds. */

/** Returns the low and the high word of the time in nanoseconds since 1970, as protobuf's fixed64 has them. */
export function unixNanoWords(nowMs: number, seq: number): [low: number, high: number] {
  const nano = BigInt(Math.trunc(nowMs)) * 1_000_000n + BigInt(seq % 1_000_000);
  return [Number(nano & 0xffff_ffffn), Number(nano >> 32n)];
}

/**
 * The bounds of exponential buckets, with the very bits that Prometheus gives them: clients compare and print them.
 * A power computed for each bucket would often differ in the last one.
 */

const schemaMax = 8;
/** The square root of two, one bit below the nearest double: it is the one that the tables of others began with. */
const factorOfSchema1 = Math.SQRT2 - Number.EPSILON;

/** By schema, the bounds within [0.5, 1). Every second one of a schema is that of the coarser schema before it. */
const fractions: readonly Float64Array[] = makeFractions();

function makeFractions(): Float64Array[] {
  const tables = [Float64Array.of(0.5)];
  for (let schema = 1; schema <= schemaMax; schema++) {
    const coarser = tables[schema - 1];
    const factor = schema === 1 ? factorOfSchema1 : 2 ** (2 ** -schema);
    const table = new Float64Array(2 ** schema);
    for (let i = 0; i < table.length; i++) table[i] = i % 2 === 0 ? coarser[i / 2] : table[i - 1] * factor;
    tables.push(table);
  }
  return tables;
}

/**
 * The upper bound of bucket `index` of an exponential schema (-4 to 8). Beyond the largest double the last bucket ends at
 * that double, and all further ones at infinity, where infinite observations are counted.
 */
export function exponentialBound(schema: number, index: number): number {
  const isWide = schema < 0;
  const exponent = isWide ? index * 2 ** -schema : index >> schema;
  const fraction = isWide ? 0.5 : fractions[schema][index & (2 ** schema - 1)];
  if (exponent === 1024 && fraction === 0.5) return Number.MAX_VALUE;
  return fraction * 2 * 2 ** exponent;
}

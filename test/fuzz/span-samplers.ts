/** What reads requests of spans beside the transcoder: the sampler's scan, the ids for splitting, and the selection. */

import { policiesSchema } from '#collector/sampling/policy-schema.ts';
import { PolicySet } from '#collector/sampling/policy-set.ts';
import { SpanScanner } from '#collector/sampling/span-scanner.ts';
import { TraceTable } from '#collector/sampling/trace-table.ts';
import { DecodeError } from '#model/errors.ts';
import { SpanSelector } from '#wire/otlp/span-selector.ts';
import { traceIds } from '#wire/otlp/trace-ids.ts';
import type { Lcg } from '../support/lcg.ts';
import type { FuzzedDecoder } from './fuzzed-decoder.ts';

const policies = new PolicySet(
  policiesSchema.parse([
    {
      name: 'a',
      type: 'string_attribute',
      string_attribute: { key: 'a', values: ['x+'], enabled_regex_matching: true },
    },
    { name: 'n', type: 'numeric_attribute', numeric_attribute: { key: 'b', min_value: 1 } },
    { name: 'e', type: 'status_code', status_code: { status_codes: ['ERROR'] } },
    { name: 'p', type: 'probabilistic', probabilistic: { sampling_percentage: 10 } },
  ]),
  1,
);
const table = new TraceTable(policies.conditions.count);
const scanner = new SpanScanner(table, policies.conditions.count);
const selector = new SpanSelector();

/** What the scan takes, the selection must take too, and both must see the same spans. */
export function sampledSpans(make: (random: Lcg) => Uint8Array): FuzzedDecoder {
  return {
    name: 'spans, sampled',
    make,
    decode: (bytes) => {
      const spanCount = scanner.scan(bytes, 0, policies, 0).length;
      table.clear();
      const idCount = traceIds(bytes).length / 4;
      if (spanCount !== idCount) throw new Error(`BUG: ${spanCount} spans, ${idCount} ids`);
      const codes = Uint8Array.from({ length: spanCount }, (_, span) => span % 2);
      const kept = traceIds(selector.select(bytes, codes)).length / 4;
      if (kept !== Math.floor(spanCount / 2)) throw new Error(`BUG: ${kept} of ${spanCount} spans were kept`);
    },
    mayThrow: [DecodeError],
  };
}

/** `collector.sampling`: how traces are sampled when all of their spans have come. */
import { z } from 'zod';
import { countSchema, durationSchema, option } from '#model/config/option.ts';
import { type Policy, policiesSchema } from './policy-schema.ts';

const policyList = policiesSchema as z.ZodType<readonly Policy[]>;

export const samplingOptions = {
  'sampling.policies': option(
    policyList,
    [],
    'What is kept of traces, the first policy that keeps one wins: see docs/tail-sampling.md. Needs transport.kind kafka. Empty: everything.',
  ),
  'sampling.tenant_policies': option<Readonly<Record<string, readonly Policy[]>>>(
    z.record(z.string().min(1), policyList),
    {},
    'Policies of single tenants, by name, in place of sampling.policies. An empty list keeps everything.',
  ),
  'sampling.decision_wait': option(
    durationSchema,
    '30s',
    'How long after the first span of a trace it is decided: all of its spans should have come by then.',
  ),
  'sampling.late_wait': option(
    durationSchema,
    '2m',
    'How long after the decision spans that come late still follow it; at least sampling.decision_wait.',
  ),
  'sampling.held_bytes_max': option(
    countSchema,
    64 * 1024 * 1024,
    'Messages that wait for their traces, in each partition that this collector owns: above, the oldest traces are decided early.',
  ),
  'sampling.traces_max': option(
    z.number().int().min(1000).max(50_000_000),
    1_000_000,
    'Traces that are remembered in each partition: above, the oldest are forgotten early. One takes some 40 bytes.',
  ),
};

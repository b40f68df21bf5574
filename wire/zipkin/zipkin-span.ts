/** One span as Zipkin's API version 2 has it (zipkin2-api.yaml), checked; fields that it does not have are dropped. */
import { z } from 'zod';

/** Hexadecimal digits in any case, padded with zeros on the left: 64-bit trace ids become 128-bit ones. */
const idSchema = (digits: number) =>
  z
    .string()
    .regex(new RegExp(`^[0-9a-fA-F]{1,${digits}}$`), `expected 1 to ${digits} hexadecimal digits`)
    .regex(/[^0]/, 'an id must not be zero')
    .transform((id) => id.padStart(digits, '0'));

/** Microseconds; Zipkin's own reporters send whole ones. */
const microsSchema = z.number().nonnegative().max(Number.MAX_SAFE_INTEGER).transform(Math.floor);

const endpointSchema = z.object({
  serviceName: z.string().nullish(),
  ipv4: z.string().nullish(),
  ipv6: z.string().nullish(),
  port: z.int().nonnegative().max(65535).nullish(),
});
export type ZipkinEndpoint = z.output<typeof endpointSchema>;

export const zipkinSpanSchema = z.object({
  traceId: idSchema(32),
  id: idSchema(16),
  parentId: idSchema(16).nullish(),
  name: z.string().nullish(),
  kind: z.string().nullish(),
  timestamp: microsSchema.nullish(),
  duration: microsSchema.nullish(),
  debug: z.boolean().nullish(),
  shared: z.boolean().nullish(),
  localEndpoint: endpointSchema.nullish(),
  remoteEndpoint: endpointSchema.nullish(),
  annotations: z.array(z.object({ timestamp: microsSchema, value: z.string() })).nullish(),
  tags: z.record(z.string(), z.string()).nullish(),
});
export type ZipkinSpan = z.output<typeof zipkinSpanSchema>;

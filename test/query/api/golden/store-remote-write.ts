/** Stores a remote write 1.0 request through the real receiver and pipeline. */
import fastify from 'fastify';
import snappy from 'snappyjs';
import { createDirectSink } from '#collector/direct-sink.ts';
import { createPipeline } from '#collector/pipeline.ts';
import type { Store } from '#store/store.ts';
import type { ProtoObject } from '#test/support/naive/otlp-proto.ts';
import { encodeRemoteWrite1 } from '#test/support/naive/prometheus-proto.ts';
import { registerHttpReceiver } from '#wire/receive/http-receiver.ts';
import { prometheusRoutes } from '#wire/receive/push-routes.ts';

const bytesMax = 64 * 1024 * 1024;

/** Throws where it is not taken whole. */
export async function storeRemoteWrite(store: Store, request: ProtoObject, nowMs: number): Promise<void> {
  const pipeline = createPipeline({
    store,
    workers: 1,
    inflightBytesMax: bytesMax,
    group: { rowsMax: 250_000, ageMsMax: 5 },
    retentionMs: 0,
    now: () => nowMs,
  });
  const app = fastify();
  registerHttpReceiver(app, {
    sink: createDirectSink(pipeline),
    bodyBytesMax: bytesMax,
    inflightBytesMax: bytesMax,
    routes: prometheusRoutes,
  });
  const reply = await app.inject({
    method: 'POST',
    url: '/api/v1/write',
    headers: { 'content-encoding': 'snappy', 'content-type': 'application/x-protobuf' },
    payload: Buffer.from(snappy.compress(encodeRemoteWrite1(request))),
  });
  await app.close();
  await pipeline.close();
  if (reply.statusCode !== 204) throw new Error(`remote write: ${reply.statusCode} ${reply.body}`);
}

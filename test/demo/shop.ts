/**
 * The simulated shop behind the demo: web -> checkout -> payments and inventory. Each order leaves log records in four
 * containers, counts in two metric pages, and one trace made by the real OpenTelemetry SDK.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { context, SpanKind, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { ContainerLog, dockerContainerPath, podContainerPath } from '#load/files/container-log.ts';
import type { LogFormat } from '#load/files/line-framing.ts';

/** Every tenth order is declined: the demo's answers are known in advance. */
export const declinedEvery = 10;
const longLineEvery = 50;
const tracebackEvery = 25;

export interface ShopCounts {
  orders: number;
  declined: number;
  /** Sum of simulated checkout seconds. */
  checkoutSeconds: number;
}

export class Shop {
  readonly counts: ShopCounts = { orders: 0, declined: 0, checkoutSeconds: 0 };
  readonly logs: Readonly<Record<'web' | 'checkout' | 'payments' | 'inventory', ContainerLog>>;
  /** Names this start of the demo in every line. */
  readonly run = randomBytes(3).toString('hex');
  readonly #providers: TracerProvider[] = [];
  readonly #tracers: Readonly<Record<'web' | 'checkout' | 'payments', Tracer>>;

  constructor(root: string, otlpUrl: string, rotateBytes: number) {
    const uid = randomBytes(16)
      .toString('hex')
      .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    const docker = (name: string): string =>
      dockerContainerPath(join(root, 'var/lib/docker/containers'), randomBytes(32).toString('hex'), name);
    const pod = (name: string): string =>
      podContainerPath(join(root, 'var/log/pods'), {
        namespace: 'shop',
        pod: `${name}-${this.run}`,
        uid,
        container: name,
      });
    const log = (path: string, format: LogFormat, kept: number): ContainerLog =>
      new ContainerLog(path, format, { mode: 'rename', bytes: rotateBytes, kept });
    this.logs = {
      web: log(docker('web'), 'docker', 3),
      checkout: log(pod('checkout'), 'cri', 4),
      payments: log(pod('payments'), 'cri', 4),
      inventory: log(docker('inventory'), 'docker', 3),
    };
    const tracer = (service: string): Tracer => {
      const exporter = new OTLPTraceExporter({ url: `${otlpUrl}/v1/traces` });
      const provider = new TracerProvider({
        resource: resourceFromAttributes({ 'service.name': service, 'service.namespace': 'shop' }),
        spanProcessors: [new BatchSpanProcessor({ exporter, scheduledDelayMillis: 1000 })],
      });
      this.#providers.push(provider);
      return provider.getTracer('demo');
    };
    this.#tracers = { web: tracer('web'), checkout: tracer('checkout'), payments: tracer('payments') };
  }

  /** One order through all four containers. */
  order(): void {
    const order = ++this.counts.orders;
    const isDeclined = order % declinedEvery === 0;
    const traceId = this.#trace(order, isDeclined);
    const status = isDeclined ? 402 : 201;
    const run = this.run;
    this.counts.checkoutSeconds += 0.02;
    if (isDeclined) this.counts.declined++;
    this.logs.web.write('stdout', [
      `10.0.0.7 - - "POST /orders HTTP/1.1" ${status} 512 run=${run} seq=${order}`,
    ]);
    this.logs.checkout.write('stdout', [
      JSON.stringify({
        level: 'info',
        msg: 'order placed',
        order,
        run,
        seq: `seq=${order}`,
        trace_id: traceId,
      }),
    ]);
    if (isDeclined) {
      this.logs.payments.write('stderr', [
        `ERROR PaymentDeclinedException: card of order ${order} was declined run=${run} seq=${order} trace_id=${traceId}`,
        '\tat shop.payments.Gateway.charge(Gateway.java:42)',
        '\tat shop.payments.Worker.run(Worker.java:17)',
        'Caused by: java.net.SocketTimeoutException: connect timed out',
        '\t... 2 more',
      ]);
    } else {
      const padding = order % longLineEvery === 1 ? ` receipt=${'x'.repeat(20_000)}` : '';
      this.logs.payments.write('stdout', [`INFO charged order ${order} run=${run} seq=${order}${padding}`]);
    }
    this.logs.inventory.write(
      'stderr',
      order % tracebackEvery === 0
        ? [
            `level=error msg="restock failed" order=${order} run=${run} seq=${order}`,
            'Traceback (most recent call last):',
            '  File "inventory.py", line 12, in restock',
            '    raise KeyError(sku)',
            "KeyError: 'sku-1\u00e9\u4e16'",
          ]
        : [`level=info msg="reserved" order=${order} run=${run} seq=${order}`],
    );
  }

  async close(): Promise<void> {
    for (const log of Object.values(this.logs)) log.close();
    // A receiver that is gone must not keep the demo from ending.
    await Promise.allSettled(this.#providers.map((provider) => provider.shutdown()));
  }

  /** Returns the id of the order's trace. */
  #trace(order: number, isDeclined: boolean): string {
    const start = Date.now() - 20;
    const attributes = { 'shop.order': order };
    const web = this.#tracers.web.startSpan('POST /orders', {
      kind: SpanKind.SERVER,
      startTime: start,
      attributes,
    });
    const inWeb = trace.setSpan(context.active(), web);
    const checkout = this.#tracers.checkout.startSpan(
      'place order',
      { kind: SpanKind.SERVER, startTime: start + 2, attributes },
      inWeb,
    );
    const inCheckout = trace.setSpan(inWeb, checkout);
    const payments = this.#tracers.payments.startSpan(
      'charge card',
      { kind: SpanKind.CLIENT, startTime: start + 5, attributes: { ...attributes, 'shop.amount': 12.5 } },
      inCheckout,
    );
    if (isDeclined) {
      payments.addEvent('exception', { 'exception.type': 'PaymentDeclinedException' }, start + 12);
      payments.setStatus({ code: SpanStatusCode.ERROR, message: 'card declined' });
    }
    payments.end(start + 15);
    checkout.end(start + 18);
    web.end(start + 20);
    return web.spanContext().traceId;
  }
}

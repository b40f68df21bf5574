/**
 * Scaling signals over HTTP, at /sonde/api/v1/scaling/signals. JSON in and out.
 *
 *   PUT /sonde/api/v1/scaling/signals/checkout                            define
 *   GET /sonde/api/v1/scaling/signals/checkout/value?current_replicas=3   what to scale on; `value` is what KEDA's
 *                                                                         metrics-api scaler reads
 *
 * Register it in its own fastify scope: it answers errors in its own words.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { errorMessage, RefusedError } from '#model/errors.ts';
import { parseTenant, tenantHeader } from '#model/tenant.ts';
import type { Scaling } from '../scaling/scaling.ts';
import { definitionBytesMax } from '../scaling/signal-definition.ts';
import type { SignalAnswer, SignalRunner } from '../scaling/signal-runner.ts';
import { failureStatus } from './failure-status.ts';

export interface ScalingApiOptions {
  readonly scaling: Scaling;
}

interface SignalParams {
  readonly name: string;
}

type SignalRequest = FastifyRequest<{ Params: SignalParams }>;
type ValueRequest = FastifyRequest<{ Params: SignalParams; Querystring: { current_replicas?: unknown } }>;

const base = '/sonde/api/v1/scaling/signals';

export function registerScalingApi(app: FastifyInstance, { scaling }: ScalingApiOptions): void {
  app.setErrorHandler(replyError);
  app.get(base, async (request) => ({ signals: scaling.list(tenantOf(request)).map(renderSignal) }));
  app.get(`${base}/:name`, async (request: SignalRequest, reply) => {
    const runner = find(scaling, request);
    return reply.header('etag', `"${runner.stored.version}"`).send(renderSignal(runner));
  });
  app.put(`${base}/:name`, { bodyLimit: definitionBytesMax }, async (request: SignalRequest, reply) => {
    const { name } = request.params;
    const { isNew, version, definition } = await scaling.put(
      tenantOf(request),
      name,
      request.body,
      readVersion(request),
    );
    return reply
      .code(isNew ? 201 : 200)
      .header('etag', `"${version}"`)
      .send({ version, definition });
  });
  app.delete(`${base}/:name`, async (request: SignalRequest, reply) => {
    const isDeleted = await scaling.delete(tenantOf(request), request.params.name, readVersion(request));
    if (!isDeleted) throw unknownSignal(request.params.name);
    return reply.code(204).send();
  });
  app.get(`${base}/:name/value`, async (request: ValueRequest, reply) => {
    const currentReplicas = readReplicas(request.query.current_replicas);
    const runner = find(scaling, request);
    const answer = runner.answer(currentReplicas);
    if (answer === undefined) {
      return reply.code(503).header('retry-after', '1').send({ error: 'the signal was not evaluated yet' });
    }
    const { status, body } = renderAnswer(runner, answer);
    return reply.code(status).send(body);
  });
}

function renderSignal(runner: SignalRunner): object {
  const { evaluation } = runner;
  return {
    version: runner.stored.version,
    definition: runner.definition,
    value: evaluation?.value ?? null,
    served: evaluation?.served ?? null,
    evaluated_at: renderTime(evaluation?.evaluatedAtMs),
    missing_data: evaluation?.reason ?? null,
  };
}

/** A number to scale on is a 200; without one the asker must keep what it has, and says so to its operator. */
function renderAnswer(runner: SignalRunner, answer: SignalAnswer): { status: number; body: object } {
  const { evaluation, recommendation, isActive } = answer;
  const explanation = explain(answer);
  const body = {
    signal: runner.stored.name,
    value: evaluation.value ?? null,
    measured: evaluation.measured ?? null,
    served: evaluation.served,
    target: runner.definition.target,
    desired_replicas: recommendation?.desiredReplicas ?? null,
    active: isActive,
    evaluated_at: renderTime(evaluation.evaluatedAtMs),
    age_ms: answer.ageMs,
    missing_data: evaluation.measured === undefined,
    explanation,
  };
  return evaluation.value === undefined
    ? { status: 503, body: { ...body, error: explanation } }
    : { status: 200, body };
}

function explain({ evaluation, recommendation }: SignalAnswer): string {
  const { reason, served, measuredAtMs } = evaluation;
  const data = {
    measured: '',
    zero: `data is missing (${reason}): 0 is served; `,
    held: `data is missing (${reason}): the value of ${renderTime(measuredAtMs)} is held; `,
    none: `data is missing (${reason}) and there is no value to serve; `,
  }[served];
  if (recommendation !== undefined) return data + recommendation.explanation;
  if (served === 'none') return data.slice(0, -2);
  return `${data}pass current_replicas to learn how many replicas are desired`;
}

function find(scaling: Scaling, request: SignalRequest | ValueRequest): SignalRunner {
  const runner = scaling.find(tenantOf(request), request.params.name);
  if (runner === undefined) throw unknownSignal(request.params.name);
  return runner;
}

function unknownSignal(name: string): RefusedError {
  return new RefusedError(
    `there is no scaling signal ${JSON.stringify(name)}; define it by PUT ${base}/NAME`,
    404,
  );
}

function tenantOf(request: FastifyRequest): string {
  return parseTenant(request.headers[tenantHeader]);
}

/** If-Match: "3" changes version 3 only; If-None-Match: * creates only. */
function readVersion(request: SignalRequest): number | undefined {
  if (request.headers['if-none-match'] === '*') return 0;
  const header = request.headers['if-match'];
  if (header === undefined) return undefined;
  const match = /^"?(\d{1,15})"?$/.exec(header);
  if (match === null) throw new RefusedError('If-Match must be the version that was read, as in "3"');
  return Number(match[1]);
}

function readReplicas(text: unknown): number | undefined {
  if (text === undefined) return undefined;
  if (typeof text === 'string' && /^\d{1,6}$/.test(text)) return Number(text);
  throw new RefusedError('current_replicas must be a whole number from 0 to 999999');
}

function renderTime(timeMs: number | undefined): string | null {
  return timeMs === undefined ? null : new Date(timeMs).toISOString();
}

function replyError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const status = failureStatus(error);
  if (status >= 500) request.log.error({ err: error }, 'a scaling request failed');
  return reply.code(status).send({ error: errorMessage(error) });
}

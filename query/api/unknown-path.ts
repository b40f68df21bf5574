/**
 * Requests for which there is no route, answered in the form of the API whose path they are on.
 *
 *   GET /prometheus/api/v1/api/v1/query  ->  404 {"status":"error","errorType":"not_found","error":"there is no ..."}
 *   DELETE /loki/api/v1/query            ->  405, Allow: GET, HEAD, POST
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { renderJaegerFailure } from './jaeger.ts';
import { renderFailure } from './prometheus-reply.ts';

interface KnownRoute {
  readonly pattern: RegExp;
  readonly methods: readonly string[];
}

interface ApiStyle {
  readonly pattern: RegExp;
  /** What a person enters as the URL of this API, in words. */
  readonly base: string;
  readonly answer: (reply: FastifyReply, fact: string) => FastifyReply;
}

const answerText = (reply: FastifyReply, fact: string) =>
  reply.type('text/plain; charset=utf-8').send(`${fact}\n`);

const styles: readonly ApiStyle[] = [
  {
    pattern: /^(\/prometheus)?\/config\/v1(\/|$)/,
    base: "the ruler's base path is /prometheus/config/v1/rules",
    answer: answerText,
  },
  {
    pattern: /^\/(prometheus|api\/v1)(\/|$)/,
    base: 'the base path of the Prometheus API is /prometheus',
    answer: (reply, fact) =>
      reply
        .type('application/json')
        .send(renderFailure(reply.statusCode === 404 ? 'not_found' : 'bad_data', fact)),
  },
  {
    pattern: /^\/(loki|api\/prom|otlp)(\/|$)/,
    base: 'the Loki API has no base path',
    answer: answerText,
  },
  {
    pattern: /^\/tempo(\/|$)/,
    base: 'the base path of the Tempo API is /tempo',
    answer: answerText,
  },
  {
    pattern: /^\/jaeger(\/|$)/,
    base: 'the base path of the Jaeger API is /jaeger',
    answer: (reply, fact) => reply.send(renderJaegerFailure(reply.statusCode, fact)),
  },
  {
    pattern: /^\/sonde(\/|$)/,
    base: 'there are /sonde/api/v1/scaling/signals, /sonde/api/v1/cardinality and /sonde/api/v1/store/status',
    answer: (reply, fact) => reply.send({ error: fact }),
  },
  { pattern: /^/, base: 'the page at / lists what is here', answer: answerText },
];

/** Longest part of a path that is repeated. */
const pathLengthMax = 200;

/** Call it on the root, before the routes that it should know the methods of. */
export function answerUnknownPaths(app: FastifyInstance): void {
  const known: KnownRoute[] = [];
  app.addHook('onRoute', ({ url, method }) => {
    known.push({ pattern: toPattern(url), methods: [method].flat() });
  });
  // A hook and not only a handler: a body that nobody will read must not be refused for its type first.
  app.addHook('onRequest', async (request, reply) => {
    if (request.is404) return answerUnknown(request, reply, known);
  });
  app.setNotFoundHandler((request, reply) => answerUnknown(request, reply, known));
}

function answerUnknown(
  request: FastifyRequest,
  reply: FastifyReply,
  known: readonly KnownRoute[],
): FastifyReply {
  const path = request.url.split('?', 1)[0];
  const shown = path.length > pathLengthMax ? `${path.slice(0, pathLengthMax)}...` : path;
  const { base, answer } = styles.find(({ pattern }) => pattern.test(path))!;
  const methods = new Set(
    known.filter(({ pattern }) => pattern.test(path)).flatMap((route) => route.methods),
  );
  if (methods.size === 0) return answer(reply.code(404), `there is no ${shown}: ${base}`);
  const allowed = [...methods].sort().join(', ');
  return answer(
    reply.code(405).header('allow', allowed),
    `${request.method} is not a method of ${shown}: use ${allowed}`,
  );
}

/** Fastify's `/a/:name/b` and `/a/*` as a regular expression. */
function toPattern(url: string): RegExp {
  const parts = url.split('/').map((part) => {
    if (part.startsWith(':')) return '[^/]+';
    return part === '*' ? '.*' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${parts.join('/')}$`);
}

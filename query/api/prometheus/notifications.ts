/**
 * What a person who looks at the server should know: GET /notifications, and as server-sent events /notifications/live.
 *
 *   [{"text":"the store does not answer: ...","date":"2026-01-01T00:00:00.000Z","active":true}]
 *
 * They are what keeps the process from being ready. While somebody listens it is looked at every few seconds.
 */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { renderSuccess } from '../prometheus-reply.ts';
import type { PrometheusApiOptions } from './call.ts';

/** Prometheus's own default. Who comes later gets 204, which tells an EventSource to stay away. */
const listenersMax = 16;
const lookIntervalMs = 5000;

interface Notice {
  readonly text: string;
  readonly date: string;
  readonly active: boolean;
}

type Listener = (notice: Notice) => void;

export function addNotificationRoutes(scope: FastifyInstance, { server, now }: PrometheusApiOptions): void {
  const notices = new Notices(server.problems, now);
  scope.addHook('preClose', async () => notices.close());
  scope.get('/api/v1/notifications', async (_request, reply) => {
    await notices.look();
    return reply.type('application/json').send(renderSuccess(JSON.stringify(notices.current)));
  });
  scope.get('/api/v1/notifications/live', async (_request, reply) => {
    if (!notices.hasRoom) return reply.code(204).send();
    await notices.look();
    return serve(notices, reply);
  });
}

function serve(notices: Notices, reply: FastifyReply): FastifyReply {
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-cache',
    connection: 'keep-alive',
  });
  raw.flushHeaders();
  const leave = notices.join(
    (notice) => raw.write(`data: ${JSON.stringify(notice)}\n\n`),
    () => raw.end(),
  );
  raw.once('close', leave);
  return reply;
}

class Notices {
  readonly #problems: () => readonly string[] | Promise<readonly string[]>;
  readonly #now: () => number;
  readonly #listeners = new Map<Listener, () => void>();
  #current: Notice[] = [];
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;

  constructor(problems: () => readonly string[] | Promise<readonly string[]>, now: () => number) {
    this.#problems = problems;
    this.#now = now;
  }

  get current(): readonly Notice[] {
    return this.#current;
  }

  get hasRoom(): boolean {
    return this.#listeners.size < listenersMax;
  }

  /** Tells what there is at once, and every change. `end` is called when the server closes. Returns how to leave. */
  join(listener: Listener, end: () => void): () => void {
    for (const notice of this.#current) listener(notice);
    this.#listeners.set(listener, end);
    this.#timer ??= setInterval(() => void this.look(), lookIntervalMs);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#stop();
    };
  }

  /** Compares what is wrong now with what was. Who asks while it is looked at waits for that. */
  look(): Promise<void> {
    this.#looking ??= this.#update().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  close(): void {
    this.#stop();
    for (const end of this.#listeners.values()) end();
  }

  async #update(): Promise<void> {
    const texts = new Set(await this.#problems());
    const known = new Set(this.#current.map(({ text }) => text));
    const over = this.#current
      .filter(({ text }) => !texts.has(text))
      .map((one) => ({ ...one, active: false }));
    const date = new Date(this.#now()).toISOString();
    const fresh = [...texts].filter((text) => !known.has(text)).map((text) => ({ text, date, active: true }));
    this.#current = [...this.#current.filter(({ text }) => texts.has(text)), ...fresh];
    for (const notice of [...over, ...fresh]) for (const listener of this.#listeners.keys()) listener(notice);
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

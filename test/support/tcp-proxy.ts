/**
 * A network that fails on demand: a TCP proxy on 127.0.0.1 that cuts, stalls, delays and forgets connections.
 *
 *   const proxy = await TcpProxy.start();  proxy.targetPort = 9092;
 *   proxy.stall('both')  ...  proxy.heal()
 *
 * Bytes that are held are delivered at last even when their sender has gone, as those in the buffers of a real network.
 */

import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** `up` is from the client to the target. */
export type Direction = 'up' | 'down' | 'both';

export class TcpProxy {
  readonly #server: Server;
  readonly #links = new Set<Link>();
  /** Where new connections go. */
  targetPort = 0;
  /** Connections that were made since the start. */
  connectionCount = 0;
  #isRefusing = false;
  #stalled: Direction | undefined;
  #delayMs = 0;

  private constructor() {
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#link(client));
  }

  static async start(): Promise<TcpProxy> {
    const proxy = new TcpProxy();
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Resets every connection, and each new one until heal(). */
  cut(): void {
    this.#isRefusing = true;
    this.reset();
  }

  /** Resets every connection; new ones are served. */
  reset(): void {
    for (const link of this.#links) link.destroy();
  }

  /** Holds what is sent, on open and on new connections, until heal(). */
  stall(direction: Direction): void {
    this.#stalled = direction;
    for (const link of this.#links) link.hold(direction);
  }

  /** Holds what is sent on the connections that are open now, until heal(); new ones are served. */
  stallOpen(direction: Direction): void {
    for (const link of this.#links) link.hold(direction);
  }

  /** Resets the clients' side of what is open; what the target has not been given yet is kept for it until heal(). */
  resetClients(): void {
    for (const link of this.#links) link.resetClient();
  }

  /** The target's side of each open connection is gone and the clients are not told: half-open for good. */
  forgetOpen(): void {
    for (const link of this.#links) link.forget();
  }

  /** Each piece travels so much longer from now on, both ways. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /** Serves again, and delivers what was held. */
  heal(): void {
    this.#isRefusing = false;
    this.#stalled = undefined;
    this.#delayMs = 0;
    for (const link of this.#links) link.release();
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.reset();
    await closed;
  }

  #link(client: Socket): void {
    if (this.#isRefusing) {
      client.resetAndDestroy();
      return;
    }
    this.connectionCount++;
    const link = new Link(
      client,
      connect({ host: '127.0.0.1', port: this.targetPort, allowHalfOpen: true }),
      {
        delayMs: () => this.#delayMs,
        onEnd: () => this.#links.delete(link),
      },
    );
    this.#links.add(link);
    if (this.#stalled !== undefined) link.hold(this.#stalled);
  }
}

class Link {
  readonly #client: Socket;
  readonly #target: Socket;
  readonly #up: Lane;
  readonly #down: Lane;
  readonly #onEnd: () => void;

  constructor(
    client: Socket,
    target: Socket,
    { delayMs, onEnd }: { readonly delayMs: () => number; readonly onEnd: () => void },
  ) {
    this.#client = client;
    this.#target = target;
    this.#onEnd = onEnd;
    this.#up = new Lane(client, target, delayMs);
    this.#down = new Lane(target, client, delayMs);
    client.setNoDelay(true);
    target.setNoDelay(true);
    client.on('error', () => this.#up.close());
    target.on('error', () => this.#down.close());
    const check = (): void => {
      if (client.destroyed && target.destroyed) this.#onEnd();
    };
    client.on('close', () => {
      this.#up.close();
      check();
    });
    target.on('close', () => {
      this.#down.close();
      check();
    });
  }

  hold(direction: Direction): void {
    if (direction !== 'down') this.#up.isHeld = true;
    if (direction !== 'up') this.#down.isHeld = true;
  }

  release(): void {
    this.#up.isHeld = false;
    this.#down.isHeld = false;
    this.#up.flush();
    this.#down.flush();
  }

  resetClient(): void {
    this.#client.resetAndDestroy();
  }

  forget(): void {
    this.#up.isForgotten = true;
    this.#down.isForgotten = true;
    this.#target.destroy();
  }

  destroy(): void {
    this.#up.isForgotten = true;
    this.#down.isForgotten = true;
    if (!this.#client.destroyed) this.#client.resetAndDestroy();
    if (!this.#target.destroyed) this.#target.resetAndDestroy();
  }
}

/** One direction of a connection. */
class Lane {
  readonly #to: Socket;
  readonly #delayMs: () => number;
  readonly #waiting: (Buffer | 'end')[] = [];
  #hasEnded = false;
  isHeld = false;
  isForgotten = false;

  constructor(from: Socket, to: Socket, delayMs: () => number) {
    this.#to = to;
    this.#delayMs = delayMs;
    from.on('data', (bytes: Buffer) => this.#take(bytes));
    from.on('end', () => this.close());
  }

  /** Nothing more will come: what is held goes first. */
  close(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#take('end');
  }

  flush(): void {
    while (!this.isHeld && this.#waiting.length > 0) this.#give(this.#waiting.shift()!);
  }

  #take(piece: Buffer | 'end'): void {
    const delayMs = this.#delayMs();
    if (delayMs > 0) {
      // Timers of one delay fire in order.
      setTimeout(() => this.#queue(piece), delayMs);
    } else this.#queue(piece);
  }

  #queue(piece: Buffer | 'end'): void {
    this.#waiting.push(piece);
    this.flush();
  }

  #give(piece: Buffer | 'end'): void {
    if (this.isForgotten || this.#to.destroyed) return;
    if (piece === 'end') this.#to.end();
    else this.#to.write(piece);
  }
}

/**
 * What kafkajs 2.2.4 gets wrong for us, put right in one place before its first use. Each patch names the module and
 * the reason; test/wire/kafka proves that it is still needed and still takes.
 */
import { createRequire } from 'node:module';
import { crc32c } from '#model/crc32c.ts';
import { registerCodecs } from './compression-codecs.ts';

interface RequestQueue {
  readonly throttledUntil: number;
  readonly pending: readonly unknown[];
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  checkPendingRequests(): void;
}

const require = createRequire(import.meta.url);
const checksumModule = 'kafkajs/src/protocol/recordBatch/crc32C/index.js';
const batchEncoderModule = 'kafkajs/src/protocol/recordBatch/v0/index.js';
const pendingCheckMs = 10;
let isDone = false;

/** May be called often. Must be called before a client encodes its first record batch. */
export function patchKafkajs(): void {
  if (isDone) return;
  isDone = true;
  replaceChecksum();
  stopIdleTimer();
  registerCodecs();
}

/** Its CRC-32C goes byte by byte, at a quarter of the speed of ours, and is most of the cost of producing. */
function replaceChecksum(): void {
  if (require.cache[require.resolve(batchEncoderModule)] !== undefined) {
    throw new Error('BUG: kafkajs has encoded a record batch before patchKafkajs was called');
  }
  require(checksumModule);
  require.cache[require.resolve(checksumModule)]!.exports = crc32c;
}

/**
 * Its request queue re-arms a timer with a negative delay for as long as a connection lives: a thousand wake-ups per
 * second and connection while idle, and a warning on the console. The timer is only needed while something waits.
 */
function stopIdleTimer(): void {
  const queue = require('kafkajs/src/network/requestQueue/index.js') as { prototype: object };
  Object.assign(queue.prototype, {
    scheduleCheckPendingRequests(this: RequestQueue): void {
      if (this.throttleCheckTimeoutId !== null || this.pending.length === 0) return;
      const throttledMs = this.throttledUntil - Date.now();
      this.throttleCheckTimeoutId = setTimeout(
        () => {
          this.throttleCheckTimeoutId = null;
          this.checkPendingRequests();
        },
        throttledMs > 0 ? throttledMs : pendingCheckMs,
      );
    },
  });
}

/** Container logs for `npm run bench:agent`: the lines of a web shop, some of them with escapes and some of stack traces. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { Lcg } from '#test/support/lcg.ts';

export type LogFormat = 'cri' | 'docker';

export interface LogBlock {
  readonly bytes: Buffer;
  readonly records: number;
}

const levels = ['INFO', 'INFO', 'INFO', 'DEBUG', 'WARN', 'ERROR'];
const paths = ['/api/orders', '/api/cart/items', '/api/products/search', '/healthz', '/api/users/me'];
const trace = [
  'java.lang.IllegalStateException: no stock',
  '\tat shop.Cart.add(Cart.java:41)',
  '\tat shop.Web.post(Web.java:7)',
];

/** Returns some `targetBytes` of whole lines; behind every 500th line is a stack trace, which belongs to its record. */
export function logBlock(format: LogFormat, targetBytes: number): LogBlock {
  const random = new Lcg(7);
  const parts: string[] = [];
  let bytes = 0;
  let count = 0;
  let records = 0;
  while (bytes < targetBytes) {
    const time = new Date(1_767_225_600_000 + count)
      .toISOString()
      .replace('Z', `${String(random.int(1_000_000)).padStart(6, '0')}Z`);
    const level = levels[random.int(levels.length)]!;
    const message =
      random.int(7) === 0
        ? `{"level":"${level.toLowerCase()}","msg":"order placed","order":${random.int(1e6)},"user":"u${random.int(1e5)}","total":${random.int(1e4) / 100}}`
        : `${level} request method=GET path=${paths[random.int(paths.length)]} status=${random.int(20) === 0 ? 500 : 200} duration_ms=${random.int(900)} trace=${hex(random)}`;
    const isTrace = count % 500 === 499;
    for (const line of isTrace ? trace : [message]) {
      const framed = frame(format, time, line);
      parts.push(framed);
      bytes += Buffer.byteLength(framed);
    }
    if (!isTrace) records++;
    count++;
  }
  return { bytes: Buffer.from(parts.join('')), records };
}

/** 16 random bytes in hex, as a trace id. */
function hex(random: Lcg): string {
  return Buffer.from(random.bytes(16)).toString('hex');
}

function frame(format: LogFormat, time: string, line: string): string {
  if (format === 'cri') return `${time} stdout F ${line}\n`;
  return `${JSON.stringify({ log: `${line}\n`, stream: 'stdout', time })}\n`;
}

/** Writes the block `times` times. */
export function writeBlocks(path: string, block: LogBlock, times: number): void {
  const file = openSync(path, 'w');
  for (let i = 0; i < times; i++) writeSync(file, block.bytes);
  closeSync(file);
}

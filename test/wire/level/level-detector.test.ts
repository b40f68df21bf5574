/**
 * Goal: the level of a line that names one is found, and a line that only talks about errors has none made up.
 * Method: lines as loggers write them, and any bytes: a level or nothing.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { textBytes } from '#collector/transcode/resource-scope.ts';
import { detectLevel } from '#wire/level/level-detector.ts';
import { levels } from '#wire/level/severity.ts';
import { ByteView } from '#wire/protobuf/byte-view.ts';

function levelOf(line: string): string {
  const text = textBytes(`#${line}#`);
  return levels[detectLevel(text, 1, text.bytes.length - 2)]!;
}

test.each([
  ['{"time":"2026-11-26","level":"warn","msg":"disk"}', 'warn'],
  ['{"msg":"an error \\"level\\": x","severity" : "ERROR"}', 'error'],
  ['{"level":30,"time":1732633200,"msg":"pino"}', 'info'],
  ['{"lvl":"dbg"}', 'debug'],
  ['{"log.level":"Error","message":"ECS"}', 'error'],
  ['{"message":"error without a level"}', 'unknown'],
  ['{"level":"custom","severity":"INFO"}', 'info'],
  ['{"level', 'unknown'],
  ['time=2026-11-26T15:00:00Z level=error msg="broken pipe"', 'error'],
  ['ts=1 caller=main.go lvl=eror err="x"', 'error'],
  ['level=info msg="an ERROR page was served"', 'info'],
  ['msg="fatal news" severity="WARNING"', 'warn'],
  ['2026-11-26 15:00:00,123 [main] ERROR c.s.Payment - declined', 'error'],
  ['[2026-11-26T15:00:00Z WARN  shop::web] slow', 'warn'],
  ['2026/11/26 15:00:00 [error] 7#7: *1 open() failed', 'error'],
  ['INFO:root:started', 'info'],
  ['Warning: deprecated', 'warn'],
  ['E1126 15:00:00.123456   7 main.go:12] no route', 'error'],
  ['I1126 15:00:00.123456   7 main.go:12] an error was healed', 'info'],
  ['<panic> goroutine 1', 'fatal'],
  ['<11>Nov 26 15:00:00 web app: all is well', 'error'],
  ['<191>1 2026-11-26T15:00:00Z web app - - - x', 'debug'],
  ['<192>x', 'unknown'],
  ['<1a>INFO x', 'info'],
  ['CRITICAL - out of memory', 'fatal'],
  ['everything is fine', 'unknown'],
  ['GET /error-page HTTP/1.1 200', 'unknown'],
  ['GET /info/ HTTP/1.1 200', 'unknown'],
  ['loaded error_pages from x.error', 'unknown'],
  ['the informational text', 'unknown'],
  ['', 'unknown'],
  ['   ', 'unknown'],
  [`${'x '.repeat(100)} ERROR too far in`, 'unknown'],
])('%j is %s', (line, level) => expect(levelOf(line)).toBe(level));

test('any bytes have a level or none, and nothing beyond them is looked at', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 700 }), (bytes) => {
      const alone = detectLevel(new ByteView(bytes), 0, bytes.length);
      const surrounded = new Uint8Array(bytes.length + 40).fill(0x20);
      surrounded.set(bytes, 20);
      surrounded.set(Buffer.from('level=error ERROR "}'), bytes.length + 20);
      expect(levels[alone]).toBeDefined();
      expect(detectLevel(new ByteView(surrounded), 20, bytes.length)).toBe(alone);
    }),
  );
});

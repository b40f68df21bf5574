/**
 * How container runtimes write a line of a process to a log file.
 *
 *   cri     2026-01-01T00:00:00.000000001Z stdout F GET /a
 *   docker  {"log":"GET /a\n","stream":"stdout","time":"2026-01-01T00:00:00.000000001Z"}
 *   plain   GET /a
 *
 * Runtimes cut lines at 16 KiB: containerd marks the pieces P and F (pkg/cri/io, logger), docker leaves out the
 * newline (daemon/logger, copier).
 */

export const logFormats = ['cri', 'docker', 'plain'] as const;
export type LogFormat = (typeof logFormats)[number];

export type Stream = 'stdout' | 'stderr';

const pieceBytesMax = 16 * 1024;

/** Returns a line with its framing and newline. Lines that are cut must be ASCII: pieces are counted in characters. */
export function frameLine(format: LogFormat, time: string, stream: Stream, line: string): string {
  if (format === 'plain') return `${line}\n`;
  const frame = format === 'cri' ? criPiece : dockerPiece;
  let text = '';
  for (let start = 0; ; start += pieceBytesMax) {
    const isLast = start + pieceBytesMax >= line.length;
    text += frame(time, stream, line.slice(start, start + pieceBytesMax), isLast);
    if (isLast) return text;
  }
}

function criPiece(time: string, stream: Stream, piece: string, isLast: boolean): string {
  return `${time} ${stream} ${isLast ? 'F' : 'P'} ${piece}\n`;
}

function dockerPiece(time: string, stream: Stream, piece: string, isLast: boolean): string {
  return `${JSON.stringify({ log: piece + (isLast ? '\n' : ''), stream, time })}\n`;
}

/** RFC 3339 with nanoseconds, as both runtimes write. */
export function runtimeTimestamp(): string {
  const nanoseconds = Number(process.hrtime.bigint() % 1_000_000n);
  return new Date().toISOString().replace('Z', `${String(nanoseconds).padStart(6, '0')}Z`);
}

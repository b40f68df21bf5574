/**
 * Chooses a file's format by its first lines, and the reader for it.
 */
import type { ByteSource } from '#wire/protobuf/byte-writer.ts';
import { CriFrameReader } from './cri-frame.ts';
import { DockerFrameReader } from './docker-frame.ts';
import { createFrame, type FrameReader, type LineFormat } from './frame.ts';
import { PlainFrameReader } from './plain-frame.ts';

/** A file may begin with a torn line: the format is what one of its first lines has. */
const probedLinesMax = 5;

const lineFeed = 0x0a;

export class FrameReaders {
  readonly #readers: Readonly<Record<LineFormat, FrameReader>> = {
    cri: new CriFrameReader(),
    docker: new DockerFrameReader(),
    plain: new PlainFrameReader(),
  };
  readonly #frame = createFrame();

  reader(format: LineFormat): FrameReader {
    return this.#readers[format];
  }

  /** The format of the whole lines in chunk.bytes[from, to); a range without a line feed is taken as one line. */
  detect(chunk: ByteSource, from: number, to: number): LineFormat {
    let lineFrom = from;
    for (let count = 0; count < probedLinesMax && lineFrom < to; count++) {
      const found = chunk.bytes.indexOf(lineFeed, lineFrom);
      const lineTo = found === -1 || found > to ? to : found;
      if (this.#readers.cri.read(chunk, lineFrom, lineTo, this.#frame)) return 'cri';
      if (this.#readers.docker.read(chunk, lineFrom, lineTo, this.#frame)) return 'docker';
      lineFrom = lineTo + 1;
    }
    return 'plain';
  }
}

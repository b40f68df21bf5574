/**
 * A log record's severity -> the columns severity, severity_text and level. It mostly is the one of the record before:
 * that is tried first.
 */

import { levelOfNumber, levelOfText, levels, severityNumberMax } from '#wire/level/severity.ts';
import type { ByteView } from '#wire/protobuf/byte-view.ts';
import type { LogColumns } from './log-columns.ts';
import { textBytes } from './resource-scope.ts';

const levelTexts = levels.map(textBytes);
const utf8 = new TextDecoder();

export class SeverityWriter {
  readonly #columns: LogColumns;
  // The last record's severity, and the numbers of its text and its level in this block's dictionaries.
  #number = 0;
  #stored = 0;
  #textIndex = 0;
  #levelIndex = 0;
  /** Level of each text in this block's severity_text dictionary, once it was asked for. */
  readonly #levelOfText: (number | undefined)[] = [];

  constructor(columns: LogColumns) {
    this.#columns = columns;
    this.reset();
  }

  reset(): void {
    // No record has this number, so the first one is looked up.
    this.#number = -1;
    this.#textIndex = 0;
    this.#levelOfText.length = 0;
  }

  /** Appends one record's severity number, which may be any, and its text. */
  write(source: ByteView, number: number, textStart: number, textLength: number): void {
    const { severity, severityText, level } = this.#columns;
    if (
      number !== this.#number ||
      !severityText.dictionary.matches(this.#textIndex, source, textStart, textLength)
    ) {
      this.#lookUp(source, number, textStart, textLength);
    }
    severity.pushUint8(this.#stored);
    severityText.indexes.push(this.#textIndex);
    level.indexes.push(this.#levelIndex);
  }

  /** Appends the level of a record that says nothing of its severity. */
  writeDetected(levelNumber: number): void {
    const { severity, severityText, level } = this.#columns;
    const text = levelTexts[levelNumber];
    severity.pushUint8(0);
    severityText.indexes.push(0);
    level.indexes.push(level.dictionary.indexOf(text, 0, text.bytes.length));
  }

  #lookUp(source: ByteView, number: number, textStart: number, textLength: number): void {
    const { severityText, level } = this.#columns;
    this.#number = number;
    this.#stored = number <= severityNumberMax ? number : 0;
    this.#textIndex = severityText.dictionary.indexOf(source, textStart, textLength);
    let levelNumber = levelOfNumber(this.#stored);
    if (levelNumber === 0 && this.#textIndex !== 0) {
      levelNumber = this.#levelOfText[this.#textIndex] ??= levelOfText(
        utf8.decode(source.bytes.subarray(textStart, textStart + textLength)),
      );
    }
    const text = levelTexts[levelNumber];
    this.#levelIndex = level.dictionary.indexOf(text, 0, text.bytes.length);
  }
}

/**
 * The embedded engine as a judge of Native blocks: it reads them by file(), which is how blocks are inserted, and
 * answers in JSON. One per test file: the engine allows one data directory per process.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Session } from 'chdb';
import { insertColumns, type TableName } from '#store/tables.ts';

export class NativeEngine implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), 'sonde-native-'));
  readonly #session = new Session(join(this.#directory, 'data'));
  #fileCount = 0;

  /** Returns rows as objects, 64-bit integers as strings. */
  rows<Row = Record<string, unknown>>(sql: string): Row[] {
    const text = this.#session.query(
      `${sql} SETTINGS output_format_json_quote_64bit_integers = 1, output_format_json_quote_denormals = 1`,
      'JSONEachRow',
    );
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Row);
  }

  exec(sql: string): void {
    this.#session.query(sql);
  }

  /** Returns a file() expression that reads bytes in a format. */
  file(bytes: Uint8Array | string, format: string, structure: string): string {
    const path = join(this.#directory, `${this.#fileCount++}.bin`);
    writeFileSync(path, bytes);
    return `file('${path}', ${format}, '${structure.replaceAll("'", "\\'")}')`;
  }

  /** Returns what the engine itself writes for a query as FORMAT Native. */
  async native(sql: string): Promise<Uint8Array> {
    const path = join(this.#directory, `${this.#fileCount++}.native`);
    this.exec(`${sql} INTO OUTFILE '${path}' FORMAT Native`);
    return readFile(path);
  }

  /** Makes a plain table with the columns that ingest writes. */
  createTable(name: string, table: TableName): void {
    this.exec(`CREATE TABLE ${name} (${structureOf(table)}) ENGINE = Memory`);
  }

  insertBlock(name: string, table: TableName, parts: readonly Uint8Array[]): void {
    const columns = columnsOf(table);
    this.exec(
      `INSERT INTO ${name} (${columns}) SELECT ${columns} FROM ${this.file(Buffer.concat(parts), 'Native', structureOf(table))}`,
    );
  }

  /**
   * Inserts rows from JSON: ids as hex, maps as arrays of pairs (so that order and repeated keys count), Float64 as
   * its 64 bits in decimal, also in arrays (so that NaN payloads count), DateTime64 as seconds with a fraction.
   */
  insertRows(name: string, table: TableName, rows: readonly object[]): void {
    const columns = columnsOf(table);
    const lines = rows.map((row) => JSON.stringify(row)).join('\n');
    const forms = insertColumns[table].map(([column, type]) => jsonForm(column, type));
    const structure = forms.map((form) => form.structure).join(', ');
    const values = forms.map((form) => form.value).join(', ');
    this.exec(
      `INSERT INTO ${name} (${columns}) SELECT ${values} FROM ${this.file(lines, 'JSONEachRow', structure)}`,
    );
  }

  /** Count and checksum over all columns of all rows, whatever their order. */
  checksum(name: string, table: TableName): { rowCount: string; rowSum: string } {
    return this.rows<{ rowCount: string; rowSum: string }>(
      `SELECT count() AS rowCount, sum(sipHash64(${columnsOf(table)})) AS rowSum FROM ${name}`,
    )[0]!;
  }

  [Symbol.dispose](): void {
    this.#session.cleanup();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

export function structureOf(table: TableName): string {
  return insertColumns[table].map(([name, type]) => `${name} ${type}`).join(', ');
}

function columnsOf(table: TableName): string {
  return insertColumns[table].map(([name]) => name).join(', ');
}

function jsonForm(column: string, type: string): { structure: string; value: string } {
  const cast = (structure: string, value = column) => ({
    structure: `${column} ${structure}`,
    value: `CAST(${value}, '${type.replaceAll("'", "\\'")}')`,
  });
  if (type.startsWith('Array(FixedString'))
    return cast('Array(String)', `arrayMap(id -> unhex(id), ${column})`);
  if (type.startsWith('FixedString')) return cast('String', `unhex(${column})`);
  if (type.startsWith('Array(Map')) {
    const element = type.slice('Array('.length, -1);
    return cast('Array(Array(Tuple(String, String)))', `arrayMap(row -> CAST(row, '${element}'), ${column})`);
  }
  if (type.startsWith('Map')) return cast('Array(Tuple(String, String))');
  if (type === 'Array(Float64)') {
    return {
      structure: `${column} Array(UInt64)`,
      value: `arrayMap(bits -> reinterpretAsFloat64(bits), ${column})`,
    };
  }
  if (type === 'Float64') return { structure: `${column} UInt64`, value: `reinterpretAsFloat64(${column})` };
  return { structure: `${column} ${type}`, value: column };
}

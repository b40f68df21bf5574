/** piscina's entry: a conversion in a thread. Errors lose their class on the way between threads, refusals go as values. */
import { move, transferableSymbol, valueSymbol } from 'piscina';
import { RefusedError } from '#model/errors.ts';
import type { Conversion, ConversionTask } from './conversion.ts';
import { convert } from './convert.ts';

export type ConversionOutcome =
  | { readonly conversion: Conversion }
  | { readonly refused: { readonly message: string; readonly status: number } };

/** Takes a ConversionTask and answers a ConversionOutcome, whose bytes are moved. */
export default function convertTask(task: ConversionTask): unknown {
  try {
    const conversion = convert(task);
    const outcome: ConversionOutcome = { conversion };
    return move({ [transferableSymbol]: [conversion.bytes.buffer], [valueSymbol]: outcome });
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    return { refused: { message: error.message, status: error.status } } satisfies ConversionOutcome;
  }
}

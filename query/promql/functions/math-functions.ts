/** Functions of each value by itself. */
import { goMax, goMin } from '../go-extremes.ts';
import type { FunctionFamily, ValueFunction } from './function-kinds.ts';

const each = (map: ValueFunction['map']): ValueFunction => ({ kind: 'value', map });

function round(value: number, step: number, args: readonly Float64Array[]): number {
  // Prometheus divides by the inverse too.
  const inverse = 1 / (args.length > 0 ? args[0][step] : 1);
  return Math.floor(value * inverse + 0.5) / inverse;
}

export const mathFunctions: FunctionFamily = {
  abs: each(Math.abs),
  ceil: each(Math.ceil),
  floor: each(Math.floor),
  exp: each(Math.exp),
  sqrt: each(Math.sqrt),
  ln: each(Math.log),
  log2: each(Math.log2),
  log10: each(Math.log10),
  sgn: each((value) => (value < 0 ? -1 : value > 0 ? 1 : value)),
  sin: each(Math.sin),
  cos: each(Math.cos),
  tan: each(Math.tan),
  asin: each(Math.asin),
  acos: each(Math.acos),
  atan: each(Math.atan),
  sinh: each(Math.sinh),
  cosh: each(Math.cosh),
  tanh: each(Math.tanh),
  asinh: each(Math.asinh),
  acosh: each(Math.acosh),
  atanh: each(Math.atanh),
  rad: each((value) => (value * Math.PI) / 180),
  deg: each((value) => (value * 180) / Math.PI),
  round: each(round),
  clamp_min: each((value, step, [least]) => goMax(least[step], value)),
  clamp_max: each((value, step, [most]) => goMin(most[step], value)),
};

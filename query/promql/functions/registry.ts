/** The functions that are evaluated, family by family. What is in function-table.ts and not here is refused. */
import type { FunctionFamily, FunctionImplementation } from './function-kinds.ts';
import { histogramFunctions } from './histogram-functions.ts';
import { labelFunctions } from './label-functions.ts';
import { mathFunctions } from './math-functions.ts';
import { overTimeFunctions } from './over-time-functions.ts';
import { rateFunctions } from './rate-functions.ts';
import { regressionFunctions } from './regression-functions.ts';
import { sortFunctions } from './sort-functions.ts';
import { timeFunctions } from './time-functions.ts';
import { vectorFunctions } from './vector-functions.ts';

const families: readonly FunctionFamily[] = [
  rateFunctions,
  overTimeFunctions,
  regressionFunctions,
  mathFunctions,
  timeFunctions,
  vectorFunctions,
  labelFunctions,
  sortFunctions,
  histogramFunctions,
];

const implementations = new Map<string, FunctionImplementation>(
  families.flatMap((family) => Object.entries(family)),
);

/** Undefined where a function of PromQL is not evaluated yet. */
export function functionImplementation(name: string): FunctionImplementation | undefined {
  return implementations.get(name);
}

/** The names of all functions that are evaluated. */
export function implementedFunctions(): string[] {
  return [...implementations.keys()].sort();
}

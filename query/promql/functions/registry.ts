/** The functions, family by family. */
import type { FunctionFamily, FunctionImplementation } from './function-kinds.ts';
import { histogramFunctions } from './histogram-functions.ts';
import { infoFunctions } from './info-function.ts';
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
  infoFunctions,
];

const implementations = new Map<string, FunctionImplementation>(
  families.flatMap((family) => Object.entries(family)),
);

/** Undefined where PromQL has no such function. */
export function functionImplementation(name: string): FunctionImplementation | undefined {
  return implementations.get(name);
}

/** All names, for tests that compare tables. */
export function implementedFunctions(): string[] {
  return [...implementations.keys()].sort();
}

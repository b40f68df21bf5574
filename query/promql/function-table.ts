/**
 * Every function that PromQL has, with the types of its arguments and of its result: what the parser and the type
 * check need to know. Which of them are evaluated is another table's business (functions/registry.ts).
 */
import type { ValueType } from './tree.ts';

export interface FunctionSignature {
  readonly name: string;
  readonly argTypes: readonly ValueType[];
  /** 0: all arguments are needed. n: the last may be left out, or repeated up to n times. -1: without bound. */
  readonly variadic: number;
  readonly returns: ValueType;
}

const signatures = new Map<string, FunctionSignature>();

function add(names: string, argTypes: readonly ValueType[], returns: ValueType = 'vector', variadic = 0) {
  for (const name of names.split(' ')) signatures.set(name, { name, argTypes, variadic, returns });
}

add('abs ceil exp floor ln log10 log2 sgn sqrt timestamp start_timestamp sort sort_desc absent', ['vector']);
add('acos acosh asin asinh atan atanh cos cosh deg rad sin sinh tan tanh', ['vector']);
add('rate increase irate delta idelta deriv changes resets', ['matrix']);
add('avg_over_time count_over_time first_over_time last_over_time mad_over_time max_over_time', ['matrix']);
add('min_over_time present_over_time stddev_over_time stdvar_over_time sum_over_time', ['matrix']);
add('ts_of_first_over_time ts_of_last_over_time ts_of_max_over_time ts_of_min_over_time', ['matrix']);
add('absent_over_time', ['matrix']);
add('quantile_over_time', ['scalar', 'matrix']);
add('predict_linear', ['matrix', 'scalar']);
add('double_exponential_smoothing', ['matrix', 'scalar', 'scalar']);
add('clamp', ['vector', 'scalar', 'scalar']);
add('clamp_max clamp_min', ['vector', 'scalar']);
add('round', ['vector', 'scalar'], 'vector', 1);
add('day_of_month day_of_week day_of_year days_in_month hour minute month year', ['vector'], 'vector', 1);
add('time pi', [], 'scalar');
add('start end range step', [], 'scalar');
add('min_of max_of', ['scalar', 'scalar'], 'scalar');
add('scalar', ['vector'], 'scalar');
add('vector', ['scalar']);
add('label_replace', ['vector', 'string', 'string', 'string', 'string']);
add('label_join', ['vector', 'string', 'string', 'string'], 'vector', -1);
add('sort_by_label sort_by_label_desc', ['vector', 'string'], 'vector', -1);
add('info', ['vector', 'vector'], 'vector', 1);
add('histogram_quantile', ['scalar', 'vector']);
add('histogram_quantiles', ['vector', 'string', 'scalar', 'scalar'], 'vector', 9);
add('histogram_fraction', ['scalar', 'scalar', 'vector']);
add('histogram_avg histogram_count histogram_sum histogram_stddev histogram_stdvar', ['vector']);

/** Returns a function's signature; undefined where PromQL has no such function. Names are case-sensitive. */
export function functionSignature(name: string): FunctionSignature | undefined {
  return signatures.get(name);
}

/** All names, for tests that compare tables. */
export function functionNames(): string[] {
  return [...signatures.keys()].sort();
}

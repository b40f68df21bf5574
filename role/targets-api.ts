/** Joins what an agent scrapes to the API that tells of it, and to the language of that API's selectors. */
import type { TargetsApiOptions } from '#agent/scrape-config/targets-api.ts';
import { RefusedError } from '#model/errors.ts';
import type { Labels } from '#model/labels.ts';
import type { ScrapedTargets } from './agent-metrics.ts';

/** `targets` gives undefined until there are some; `tenant` is the only one that is told, undefined: whoever asks. */
export function targetsApi(targets: () => ScrapedTargets | undefined, tenant?: string): TargetsApiOptions {
  return {
    report: () => targets()?.report(),
    families: () => targets()?.families(),
    parseSelector: parseTargetSelector,
    tenant,
  };
}

/**
 * Parses a PromQL selector into a test of labels. Rejects with RefusedError. An agent
 * needs the parser for nothing else: it is loaded when first asked for.
 */
async function parseTargetSelector(text: string): Promise<(labels: Labels) => boolean> {
  const [{ parseSelector }, { matchesLabels }, { ParseError }] = await Promise.all([
    import('#query/promql/parser.ts'),
    import('#query/promql/match-label.ts'),
    import('#query/language/parse-error.ts'),
  ]);
  try {
    const { matchers } = parseSelector(text);
    return (labels) => matchesLabels(matchers, labels);
  } catch (error) {
    if (error instanceof ParseError) throw new RefusedError(error.message);
    throw error;
  }
}

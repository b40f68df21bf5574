/** GET /api/v1/features: what of Prometheus's optional features is there, by its names. Tools choose by it what to ask. */
import { functionNames } from '../../promql/function-table.ts';
import { renderSuccess } from '../prometheus-reply.ts';
import type { Answer, Call } from './call.ts';

type Features = Readonly<Record<string, boolean>>;

const on = (names: string): Features => Object.fromEntries(names.split(' ').map((name) => [name, true]));

/** `start_timestamps`: functions of counters use the times since when they count. */
const language: Features = {
  ...on(
    'anchored at_modifier bool by duration_expr fill fill_left fill_right group_left group_right ignoring',
  ),
  ...on('negative_offset offset on per_query_lookback_delta smoothed subqueries without'),
  delayed_name_removal: false,
  per_step_stats: false,
  type_and_unit_labels: false,
  unquoted_utf8_names: false,
};

const operators = on(
  '!= !~ % * + - / < </ <= == =~ > >/ >= @ ^ and atan2 avg bottomk count count_values group limit_ratio limitk ' +
    'max min or quantile stddev stdvar sum topk unless',
);

export async function answerFeatures({ options }: Call): Promise<Answer> {
  const { takesPushes, templateFunctions } = options.server;
  const features: Record<string, Features> = {
    api: {
      ...on('exclude_alerts label_values_match openapi_3.1 query_stats query_warnings search'),
      ...on('search_fuzz_alg_jarowinkler search_fuzz_alg_subsequence time_range_labels time_range_series'),
      admin: options.admin !== undefined,
      lifecycle: false,
      otlp_write_receiver: takesPushes,
      query_cost: false,
      remote_write_receiver: takesPushes,
    },
    otlp_receiver: { delta_conversion: takesPushes, native_delta_ingestion: false },
    prometheus: { agent_mode: false, auto_reload_config: false, server_mode: true },
    promql: language,
    promql_functions: on(functionNames().join(' ')),
    promql_operators: operators,
    rules: { concurrent_rule_eval: true, keep_firing_for: true, query_offset: false },
    templating_functions: on(templateFunctions.join(' ')),
    tsdb: { exemplar_storage: true, native_histograms: true, st_storage: true },
  };
  return renderSuccess(JSON.stringify(sorted(features)));
}

/** Prometheus writes names in order. */
function sorted(features: Readonly<Record<string, Features>>): object {
  const inOrder = (names: string[]) => names.sort((a, b) => (a < b ? -1 : 1));
  return Object.fromEntries(
    inOrder(Object.keys(features)).map((category) => {
      const entries = features[category]!;
      return [
        category,
        Object.fromEntries(inOrder(Object.keys(entries)).map((name) => [name, entries[name]])),
      ];
    }),
  );
}

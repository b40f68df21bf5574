/** The endpoints of the OpenAPI document: methods, parameters and forms of reply. A test compares it with the routes. */

export interface Operation {
  /** Below /api/v1. */
  readonly path: string;
  readonly methods: readonly ('GET' | 'POST' | 'PUT')[];
  readonly tag: string;
  readonly summary: string;
  readonly parameters: readonly string[];
  /** The envelope, no body, or another content type. */
  readonly answers: 'json' | 'nothing' | `${string}/${string}`;
}

const text = { type: 'string' };
const texts = { type: 'array', items: text };
const count = { type: 'integer', minimum: 0 };
const flag = { type: 'boolean' };
const time = {
  oneOf: [
    { type: 'string', format: 'date-time' },
    { type: 'number', format: 'unixtime' },
  ],
};
const duration = { oneOf: [{ type: 'number' }, { type: 'string', pattern: '^[0-9a-z.]+$' }] };

export const parameterFacts: Readonly<Record<string, readonly [schema: object, description: string]>> = {
  query: [text, 'A PromQL expression.'],
  time: [time, 'When it is evaluated; now where it is absent.'],
  start: [time, 'Inclusive.'],
  end: [time, 'Inclusive.'],
  step: [duration, 'Between two evaluations.'],
  timeout: [duration, 'Shortens query.timeout_ms.'],
  lookback_delta: [duration, 'How far an instant selector looks back.'],
  limit: [count, 'Entries in the answer.'],
  limit_per_metric: [count, 'Descriptions of one metric.'],
  stats: [{ enum: ['true', 'all'] }, 'Adds what the query took.'],
  metric: [text, 'The name of a metric.'],
  'match[]': [texts, 'Series selectors; any of them has to match.'],
  label: [text, 'The name of a label.'],
  'search[]': [texts, 'What names are compared with; any of them has to fit.'],
  fuzz_threshold: [{ type: 'integer', minimum: 0, maximum: 100 }, 'The score that a name needs, in percent.'],
  fuzz_alg: [{ enum: ['subsequence', 'jarowinkler'] }, 'How names are scored.'],
  case_sensitive: [flag, 'True where it is absent.'],
  sort_by: [{ enum: ['alpha', 'score'] }, 'The order of names.'],
  sort_dir: [{ enum: ['asc', 'dsc'] }, 'Of sort_by=alpha.'],
  include_score: [flag, 'Adds the score to each result.'],
  include_metadata: [flag, 'Adds type, help and unit.'],
  batch_size: [count, 'Results in a line.'],
  metric_name_pattern: [text, 'A regular expression for whole names.'],
  scrapePool: [text, 'The name of a scrape job.'],
  state: [{ enum: ['active', 'dropped', 'any'] }, 'Which targets are shown.'],
  type: [{ enum: ['alert', 'record'] }, 'Which rules are shown.'],
  'rule_name[]': [texts, 'Names of rules.'],
  'rule_group[]': [texts, 'Names of groups.'],
  'file[]': [texts, 'Namespaces of groups.'],
  exclude_alerts: [flag, 'Leaves out the alerts of rules.'],
  group_limit: [count, 'Groups in the answer.'],
  group_next_token: [text, 'Where the last answer ended.'],
  skip_head: [flag, 'Without effect: a backup is of everything.'],
};

function json(
  tag: string,
  path: string,
  methods: Operation['methods'],
  summary: string,
  parameters = '',
): Operation {
  return { path, methods, tag, summary, parameters: parameters.split(' ').filter(Boolean), answers: 'json' };
}

const both = ['GET', 'POST'] as const;
const get = ['GET'] as const;
const changing = ['POST', 'PUT'] as const;
const searched =
  'search[] match[] start end limit batch_size sort_by sort_dir fuzz_alg fuzz_threshold case_sensitive include_score';

function search(name: string, summary: string, more = ''): Operation {
  const operation = json('search', `/search/${name}`, both, summary, `${searched} ${more}`);
  return { ...operation, answers: 'application/x-ndjson' };
}

function admin(name: string, summary: string, parameters = ''): Operation {
  const operation = json('admin', `/admin/tsdb/${name}`, changing, summary, parameters);
  return { ...operation, answers: name === 'snapshot' ? 'json' : 'nothing' };
}

export const operations: readonly Operation[] = [
  json('query', '/query', both, 'Evaluate at one time', 'query time timeout lookback_delta limit stats'),
  json(
    'query',
    '/query_range',
    both,
    'Evaluate over a range of time',
    'query start end step timeout lookback_delta limit stats',
  ),
  json('query', '/query_exemplars', both, "Exemplars of a query's series", 'query start end'),
  json('query', '/format_query', both, 'Format an expression', 'query'),
  json('query', '/parse_query', both, 'The tree of an expression', 'query'),
  json('metadata', '/labels', both, 'Names of labels', 'match[] start end limit'),
  json('metadata', '/label/{name}/values', get, 'Values of a label', 'match[] start end limit'),
  json('metadata', '/series', both, 'Series', 'match[] start end limit'),
  json('metadata', '/metadata', get, 'Type, help and unit of metrics', 'metric limit limit_per_metric'),
  search('metric_names', 'Search names of metrics', 'include_metadata'),
  search('label_names', 'Search names of labels'),
  search('label_values', 'Search values of a label', 'label'),
  json('targets', '/targets', get, 'What is scraped', 'state scrapePool'),
  json('targets', '/scrape_pools', get, 'Names of scrape jobs'),
  json(
    'rules',
    '/rules',
    get,
    'Rules and their states',
    'type rule_name[] rule_group[] file[] match[] exclude_alerts group_limit group_next_token',
  ),
  json('rules', '/alerts', get, 'Active alerts'),
  json('rules', '/alertmanagers', get, 'Where alerts are sent'),
  json('status', '/status/buildinfo', get, 'Versions'),
  json('status', '/status/config', get, 'The configuration'),
  json('status', '/status/flags', get, 'The options'),
  json('status', '/status/runtimeinfo', get, 'The process'),
  json('status', '/status/tsdb', get, 'What makes the series', 'limit'),
  json('status', '/status/tsdb/blocks', get, 'Days of compacted samples'),
  json('status', '/status/walreplay', get, 'Always done'),
  json('status', '/status/self_metrics', get, "The process's own metrics", 'metric_name_pattern'),
  json('status', '/features', get, 'What is supported'),
  json('status', '/notifications', get, 'What is wrong now'),
  {
    ...json('status', '/notifications/live', get, 'What is wrong, as it changes'),
    answers: 'text/event-stream',
  },
  { ...json('status', '/openapi.yaml', get, 'This document'), answers: 'application/yaml' },
  { ...json('remote', '/read', ['POST'], 'Remote read'), answers: 'application/x-protobuf' },
  { ...json('remote', '/write', ['POST'], 'Remote write 1.0 and 2.0'), answers: 'nothing' },
  {
    ...json('remote', '/otlp/v1/metrics', ['POST'], 'OTLP metrics'),
    answers: 'application/x-protobuf',
  },
  admin('delete_series', 'Delete series', 'match[] start end'),
  admin('clean_tombstones', 'Free what was deleted'),
  admin('snapshot', 'Back the store up', 'skip_head'),
];

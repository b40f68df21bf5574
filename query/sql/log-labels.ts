/**
 * How the columns of a log record become labels, as Loki makes them from OTLP.
 *
 *   k8s.pod.name=a  ->  stream label k8s_pod_name="a"       user.id=7  ->  structured metadata user_id="7"
 *   app=shop (a resource attribute)  ->  stream label app="shop"
 *
 * Resource attributes of Loki's default index set name the stream, and so do those whose name is a label's already:
 * they are what Loki's push API was given as labels, and the semantic conventions have dots in all of theirs. Everything
 * else is structured metadata.
 */
import { type Labels, sortLabels } from '#model/labels.ts';

/**
 * Loki's default `otlp_config`: the resource attributes that become stream labels. service.name has its own column.
 * `sonde.store` is the name that a container's label gives its logs.
 */
const indexAttributes = [
  'cloud.availability_zone',
  'cloud.region',
  'container.name',
  'deployment.environment',
  'deployment.environment.name',
  'k8s.cluster.name',
  'k8s.container.name',
  'k8s.cronjob.name',
  'k8s.daemonset.name',
  'k8s.deployment.name',
  'k8s.job.name',
  'k8s.namespace.name',
  'k8s.pod.name',
  'k8s.replicaset.name',
  'k8s.statefulset.name',
  'service.instance.id',
  'service.namespace',
  'sonde.store',
] as const;

const serviceAttribute = 'service.name';
const serviceLabel = 'service_name';

/** Label name -> attribute name. */
const attributeOfLabel: ReadonlyMap<string, string> = new Map(
  indexAttributes.map((name) => [escapeLabelName(name), name]),
);

/** The SQL of each indexed stream label, as a constant list of our own texts. */
const indexedLabelSql: ReadonlyMap<string, string> = new Map([
  [serviceLabel, 'service'],
  ...[...attributeOfLabel].map(
    ([label, attribute]) =>
      [label, `if(labels['${attribute}'] != '', labels['${attribute}'], labels['${label}'])`] as const,
  ),
]);

/** The SQL of a stream label, '' where a record has none. `parameter` is the placeholder for its name, if it `takesName`. */
export function streamLabelSql(
  name: string,
  parameter: string,
): { readonly sql: string; readonly takesName: boolean } {
  const indexed = indexedLabelSql.get(name);
  if (indexed !== undefined) return { sql: indexed, takesName: false };
  return { sql: `labels[{${parameter}:String}]`, takesName: true };
}

/** A resource attribute of such a name is a stream label as it is. */
const plainName = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const isPlainSql = `match(toString(k), '^[a-zA-Z_][a-zA-Z0-9_]*$')`;
/** The names that are, of a record. */
export const plainNamesSql = `arrayMap(k -> toString(k), arrayFilter(k -> ${isPlainSql}, mapKeys(labels)))`;

/** Label names in the order of `stream_values`. */
export const indexedLabelNames: readonly string[] = [...indexedLabelSql.keys()];
export const indexedValuesSql = `[${[...indexedLabelSql.values()].map((sql) => `toString(${sql})`).join(', ')}]`;

/** What a query selects to build the stream of a record with `toStream`, and no more. */
export const streamSql = `
  ${indexedValuesSql} AS stream_values, ${plainNamesSql} AS label_names,
  arrayMap(k -> toString(labels[k]), label_names) AS label_values`;

/** Structured metadata that has a column of its own: it wins over an attribute of the same name. */
const columnMetadataSql: ReadonlyMap<string, string> = new Map([
  ['detected_level', 'level'],
  ['severity_text', 'severity_text'],
  ['severity_number', "if(severity = 0, '', toString(severity))"],
  ['trace_id', "if(trace_id = toFixedString('', 16), '', lower(hex(trace_id)))"],
  ['span_id', "if(span_id = toFixedString('', 8), '', lower(hex(span_id)))"],
  ['flags', "if(flags = 0, '', toString(flags))"],
  ['scope_name', 'scope_name'],
  ['scope_version', 'scope_version'],
]);

const columnMetadataNames = [...columnMetadataSql.keys()];

/** What a query selects to build all labels of a record with `toStream` and `toStructuredMetadata`. */
export const recordLabelsSql = `
  ${indexedValuesSql} AS stream_values,
  [${[...columnMetadataSql.values()].map((sql) => `toString(${sql})`).join(', ')}] AS column_values,
  mapKeys(labels) AS label_names, mapValues(labels) AS label_values,
  mapKeys(attrs) AS attr_names, mapValues(attrs) AS attr_values`;

/** Of `streamSql`. */
export interface StreamRow {
  readonly stream_values: readonly string[];
  readonly label_names: readonly string[];
  readonly label_values: readonly string[];
}

/** Of `recordLabelsSql`. */
export interface RecordLabels extends StreamRow {
  readonly column_values: readonly string[];
  readonly attr_names: readonly string[];
  readonly attr_values: readonly string[];
}

export function toStream(row: StreamRow): Labels {
  return sortLabels(streamLabels(row));
}

function streamLabels(row: StreamRow): Map<string, string> {
  const labels = new Map<string, string>();
  row.label_names.forEach((name, i) => {
    if (plainName.test(name)) labels.set(name, row.label_values[i]);
  });
  indexedLabelNames.forEach((name, i) => {
    if (row.stream_values[i] !== '') labels.set(name, row.stream_values[i]);
  });
  return labels;
}

/** A name that the stream has too gets Loki's suffix. Of equal names the last that is not empty wins. */
export function toStructuredMetadata(row: RecordLabels): Labels {
  const stream = streamLabels(row);
  const metadata = new Map<string, string>();
  const add = (name: string, value: string) => {
    if (value !== '') metadata.set(stream.get(name) ? `${name}${duplicateSuffix}` : name, value);
  };
  row.label_names.forEach((name, i) => {
    const isInStream = isIndexedAttribute(name) || stream.get(name) === row.label_values[i];
    if (!isInStream) add(escapeLabelName(name), row.label_values[i]);
  });
  row.attr_names.forEach((name, i) => {
    add(escapeLabelName(name), row.attr_values[i]);
  });
  columnMetadataNames.forEach((name, i) => {
    add(name, row.column_values[i]);
  });
  return sortLabels(metadata);
}

/** What Loki appends to the name of a label that the stream has already. */
export const duplicateSuffix = '_extracted';

function isIndexedAttribute(name: string): boolean {
  return name === serviceAttribute || attributeOfLabel.get(escapeLabelName(name)) === name;
}

/** Loki's rule: what a label's name may not have becomes _, and it must not begin with a digit. */
function escapeLabelName(name: string): string {
  const escaped = name.replace(/[^a-zA-Z0-9_]/gu, '_');
  return /^[0-9]/.test(escaped) ? `key_${escaped}` : escaped;
}

/** The SQL of any label by its name; `parameter` is the placeholder that holds the name. */
export function labelSql(name: string, parameter: string): string {
  const known = indexedLabelSql.get(name) ?? columnMetadataSql.get(name);
  if (known !== undefined) return `toString(${known})`;
  const stream = streamLabelSql(name, parameter).sql;
  const pick = (map: string) => {
    const isNamed = `${escapeSql} = {${parameter}:String} AND v != ''`;
    return `toString(${map}[arrayLast((k, v) -> ${isNamed}, mapKeys(${map}), mapValues(${map}))])`;
  };
  const metadata = `if(${pick('attrs')} != '', ${pick('attrs')}, ${pick('labels')})`;
  return `if(${stream} != '', toString(${stream}), ${metadata})`;
}

/** escapeLabelName of `k`, in SQL. */
const escapeSql = `replaceRegexpOne(replaceRegexpAll(toString(k), '[^a-zA-Z0-9_]', '_'), '^([0-9])', 'key_\\\\1')`;

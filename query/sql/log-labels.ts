/**
 * How the columns of a log record become labels, as Loki makes them from OTLP.
 *
 *   k8s.pod.name=a  ->  stream label k8s_pod_name="a"       user.id=7  ->  structured metadata user_id="7"
 *
 * Resource attributes of Loki's default index set name the stream; everything else is structured metadata.
 */
import { type Labels, sortLabels } from '#model/labels.ts';

/** Loki's default `otlp_config`: the resource attributes that become stream labels. service.name has its own column. */
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
] as const;

const serviceAttribute = 'service.name';
const serviceLabel = 'service_name';

/** Label name -> attribute name. */
const attributeOfLabel: ReadonlyMap<string, string> = new Map(
  indexAttributes.map((name) => [escapeLabelName(name), name]),
);

/** The SQL of each stream label, as a constant list of our own texts. */
export const streamLabelSql: ReadonlyMap<string, string> = new Map([
  [serviceLabel, 'service'],
  ...[...attributeOfLabel].map(([label, attribute]) => [label, `labels['${attribute}']`] as const),
]);

/** Label names in the order of `streamValuesSql`. */
export const streamLabelNames: readonly string[] = [...streamLabelSql.keys()];
export const streamValuesSql = `[${[...streamLabelSql.values()].map((sql) => `toString(${sql})`).join(', ')}]`;

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
  ${streamValuesSql} AS stream_values,
  [${[...columnMetadataSql.values()].map((sql) => `toString(${sql})`).join(', ')}] AS column_values,
  mapKeys(labels) AS label_names, mapValues(labels) AS label_values,
  mapKeys(attrs) AS attr_names, mapValues(attrs) AS attr_values`;

export interface RecordLabels {
  readonly stream_values: readonly string[];
  readonly column_values: readonly string[];
  readonly label_names: readonly string[];
  readonly label_values: readonly string[];
  readonly attr_names: readonly string[];
  readonly attr_values: readonly string[];
}

export function toStream(values: readonly string[]): Labels {
  return sortLabels(streamLabelNames.map((name, i) => [name, values[i]]));
}

/** A name that the stream has too gets Loki's suffix. Of equal names the last that is not empty wins. */
export function toStructuredMetadata(row: RecordLabels): Labels {
  const metadata = new Map<string, string>();
  const add = (name: string, value: string) => {
    if (value !== '') metadata.set(streamHas(row, name) ? `${name}${duplicateSuffix}` : name, value);
  };
  row.label_names.forEach((name, i) => {
    if (!isStreamAttribute(name)) add(escapeLabelName(name), row.label_values[i]);
  });
  row.attr_names.forEach((name, i) => {
    add(escapeLabelName(name), row.attr_values[i]);
  });
  columnMetadataNames.forEach((name, i) => {
    add(name, row.column_values[i]);
  });
  return sortLabels(metadata);
}

function streamHas(row: RecordLabels, name: string): boolean {
  const index = streamLabelNames.indexOf(name);
  return index !== -1 && row.stream_values[index] !== '';
}

/** What Loki appends to the name of a label that the stream has already. */
export const duplicateSuffix = '_extracted';

function isStreamAttribute(name: string): boolean {
  return name === serviceAttribute || attributeOfLabel.get(escapeLabelName(name)) === name;
}

/** Loki's rule: what a label's name may not have becomes _, and it must not begin with a digit. */
function escapeLabelName(name: string): string {
  const escaped = name.replace(/[^a-zA-Z0-9_]/gu, '_');
  return /^[0-9]/.test(escaped) ? `key_${escaped}` : escaped;
}

/** The SQL of any label by its name; `parameter` is the placeholder that holds the name. */
export function labelSql(name: string, parameter: string): string {
  const known = streamLabelSql.get(name) ?? columnMetadataSql.get(name);
  if (known !== undefined) return `toString(${known})`;
  const pick = (map: string) => {
    const isNamed = `${escapeSql} = {${parameter}:String} AND v != ''`;
    return `toString(${map}[arrayLast((k, v) -> ${isNamed}, mapKeys(${map}), mapValues(${map}))])`;
  };
  return `if(${pick('attrs')} != '', ${pick('attrs')}, ${pick('labels')})`;
}

/** escapeLabelName of `k`, in SQL. */
const escapeSql = `replaceRegexpOne(replaceRegexpAll(toString(k), '[^a-zA-Z0-9_]', '_'), '^([0-9])', 'key_\\\\1')`;

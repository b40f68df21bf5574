/**
 * The labels of an OTLP series, by OpenTelemetry's Prometheus compatibility rules: the metric's name, the point's
 * attributes, what is promoted of the resource, job and instance from the resource, otel_scope_* from the scope, and
 * le or quantile. The point's attributes win over promoted ones, and what comes after those wins over both.
 *
 * Only series that a worker does not know come here, so names may be strings. The resource and the scope are read
 * when the first of their series is missed: most requests never need them.
 */
import type { ByteView } from '#wire/protobuf/byte-view.ts';
import type { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import type { AttributeReader } from './any-value.ts';
import { prometheusLabelName } from './label-name.ts';
import { LabelSet } from './label-set.ts';
import type { MetricTranslation } from './metric-translation.ts';
import { RangeList } from './range-list.ts';
import { textBytes } from './resource-scope.ts';
import { metricNameKey, type SeriesRefusal, seriesLabelsMax } from './series-rules.ts';

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
const identifying = ['service.name', 'service.namespace', 'service.instance.id'] as const;
export const targetInfoName = textBytes('target_info');

/** A label whose name is final: le, job, otel_scope_name. */
export interface OwnLabel {
  readonly name: string;
  readonly value: string;
}

export class OtlpLabels {
  /** What build() made: sorted, names unique. */
  readonly labels = new LabelSet();
  readonly #reader: ProtobufReader;
  readonly #values: AttributeReader;
  readonly #translation: MetricTranslation;
  /** Attributes by their OTLP keys, sorted: keys that become one label name are joined in this order. */
  readonly #byKey = new LabelSet();
  readonly #resource = new LabelSet();
  readonly #ranges = new RangeList();
  #isResourceRead = false;
  #job = '';
  #instance = '';
  #promoted: readonly OwnLabel[] = [];
  #scope: readonly OwnLabel[] | undefined;

  constructor(reader: ProtobufReader, values: AttributeReader, translation: MetricTranslation) {
    this.#reader = reader;
    this.#values = values;
    this.#translation = translation;
  }

  beginResource(): void {
    this.#isResourceRead = false;
  }

  beginScope(): void {
    this.#scope = undefined;
  }

  /** Makes the labels of a point's series. `resources` and `scopes` are the messages' ranges in the request. */
  build(
    metricName: ByteView,
    attributes: RangeList,
    own: OwnLabel | undefined,
    resources: RangeList,
    scopes: RangeList,
    scopeSchemaUrl: string,
  ): SeriesRefusal | undefined {
    this.#readResources(resources);
    this.#scope ??= this.#readScopes(scopes, scopeSchemaUrl);
    if (attributes.count > seriesLabelsMax) return tooMany(attributes.count);
    this.#byKey.clear();
    this.#addAttributes(attributes, this.#byKey);
    const fixed = [...this.#scope, ...this.#target()];
    if (own !== undefined) fixed.push(own);
    return this.#assemble(metricName, this.#byKey, this.#promoted, fixed, []);
  }

  /**
   * Makes the labels of target_info. Returns false where the resource says nothing that it could carry, and why it is
   * refused where it is.
   */
  buildTargetInfo(resources: RangeList): SeriesRefusal | boolean {
    this.#readResources(resources);
    const target = this.#target();
    const resource = this.#resource;
    if (target.length === 0 || resource.count > seriesLabelsMax) return false;
    const refusal = this.#assemble(targetInfoName, resource, [], target, identifying);
    if (refusal !== undefined) return refusal;
    if (this.labels.count <= target.length + 1) return false;
    if (!this.#translation.keepsIdentifyingAttributes) return true;
    return this.#assemble(targetInfoName, resource, [], target, []) ?? true;
  }

  #target(): OwnLabel[] {
    const target: OwnLabel[] = [];
    if (this.#job !== '') target.push({ name: 'job', value: this.#job });
    if (this.#instance !== '') target.push({ name: 'instance', value: this.#instance });
    return target;
  }

  /** `fixed` wins over attributes, and those over `promoted`; `left` are keys that are left out. */
  #assemble(
    metricName: ByteView,
    attributes: LabelSet,
    promoted: readonly OwnLabel[],
    fixed: readonly OwnLabel[],
    left: readonly string[],
  ): SeriesRefusal | undefined {
    const { labels } = this;
    const taken = new Set(['__name__', ...fixed.map(({ name }) => name)]);
    const used = new Set(taken);
    labels.clear();
    labels.add(metricNameKey, 0, metricNameKey.bytes.length, metricName, 0, metricName.bytes.length);
    attributes.sort();
    const text = attributes.text.data;
    for (let i = 0; i < attributes.count; i++) {
      const pair = attributes.order[i];
      if (attributes.valueLengths[pair] === 0) continue;
      const key = textOf(text, attributes.nameStarts[pair], attributes.nameLengths[pair]);
      const name = prometheusLabelName(key, this.#translation);
      if (name === '') return unnamable(key);
      if (taken.has(name) || left.includes(key)) continue;
      used.add(name);
      const bytes = textBytes(name);
      labels.add(
        bytes,
        0,
        bytes.bytes.length,
        text,
        attributes.valueStarts[pair],
        attributes.valueLengths[pair],
      );
    }
    for (const label of promoted) if (!used.has(label.name)) this.#addOwn(label);
    for (const label of fixed) this.#addOwn(label);
    labels.sort();
    labels.mergeDuplicates();
    return undefined;
  }

  #addOwn({ name, value }: OwnLabel): void {
    const nameText = textBytes(name);
    const valueText = textBytes(value);
    this.labels.add(nameText, 0, nameText.bytes.length, valueText, 0, valueText.bytes.length);
  }

  #readResources(resources: RangeList): void {
    if (this.#isResourceRead) return;
    this.#isResourceRead = true;
    this.#resource.clear();
    for (let i = 0; i < resources.count; i++) {
      this.#readFields(resources.starts[i], resources.ends[i], 1);
      this.#addAttributes(this.#ranges, this.#resource);
    }
    const [name, namespace, instance] = identifying.map((key) => attributeText(this.#resource, key));
    this.#job = name === '' || namespace === '' ? name : `${namespace}/${name}`;
    this.#instance = instance;
    this.#promoted = this.#readPromoted();
  }

  /** Of keys that become one name, the last one counts, as in Prometheus. Keys without a name are left out. */
  #readPromoted(): OwnLabel[] {
    const { isEveryAttributePromoted, promotedAttributes, ignoredAttributes } = this.#translation;
    if (!isEveryAttributePromoted && promotedAttributes.length === 0) return [];
    const promoted = new Map<string, string>();
    const set = this.#resource;
    for (let pair = 0; pair < Math.min(set.count, seriesLabelsMax); pair++) {
      const key = textOf(set.text.data, set.nameStarts[pair], set.nameLengths[pair]);
      if (isEveryAttributePromoted ? ignoredAttributes.includes(key) : !promotedAttributes.includes(key)) {
        continue;
      }
      const name = prometheusLabelName(key, this.#translation);
      const value = textOf(set.text.data, set.valueStarts[pair], set.valueLengths[pair]);
      if (name !== '' && value !== '') promoted.set(name, value);
    }
    return [...promoted].map(([name, value]) => ({ name, value }));
  }

  // InstrumentationScope => name:string (1) version:string (2) attributes:KeyValue* (3)
  #readScopes(scopes: RangeList, schemaUrl: string): OwnLabel[] {
    if (!this.#translation.isScopePromoted) return [];
    const fields = new Map<string, string>();
    const set = this.#byKey;
    set.clear();
    for (let i = 0; i < scopes.count; i++) {
      for (const [field, name] of [
        [1, 'name'],
        [2, 'version'],
      ] as const) {
        this.#readFields(scopes.starts[i], scopes.ends[i], field);
        const { source } = this.#reader;
        const last = this.#ranges.count - 1;
        const [start, end] = last < 0 ? [0, 0] : [this.#ranges.starts[last], this.#ranges.ends[last]];
        if (end > start) fields.set(`otel_scope_${name}`, textOf(source, start, end - start));
      }
      this.#readFields(scopes.starts[i], scopes.ends[i], 3);
      this.#addAttributes(this.#ranges, set);
    }
    if (schemaUrl !== '') fields.set('otel_scope_schema_url', schemaUrl);
    for (let pair = 0; pair < Math.min(set.count, seriesLabelsMax); pair++) {
      const key = textOf(set.text.data, set.nameStarts[pair], set.nameLengths[pair]);
      const name = prometheusLabelName(`otel_scope_${key}`, this.#translation);
      const value = textOf(set.text.data, set.valueStarts[pair], set.valueLengths[pair]);
      if (value !== '' && !fields.has(name)) fields.set(name, value);
    }
    return [...fields].map(([name, value]) => ({ name, value }));
  }

  /** Leaves the ranges of one string or message field of [start, end) in #ranges. */
  #readFields(start: number, end: number, field: number): void {
    const reader = this.#reader;
    this.#ranges.clear();
    reader.seek(start, end);
    while (reader.position < end) {
      if (reader.readTag() !== ((field << 3) | 2)) {
        reader.skip();
        continue;
      }
      const length = reader.readLength();
      this.#ranges.push(reader.position, reader.position + length);
      reader.position += length;
    }
  }

  #addAttributes(attributes: RangeList, to: LabelSet): void {
    const values = this.#values;
    for (let i = 0; i < attributes.count; i++) {
      values.readKeyValue(attributes.starts[i], attributes.ends[i]);
      const { source } = this.#reader;
      to.add(
        source,
        values.keyStart,
        values.keyLength,
        values.valueSource,
        values.valueStart,
        values.valueLength,
      );
    }
  }
}

function tooMany(count: number): SeriesRefusal {
  return {
    reason: 'too_many_labels',
    message: `a data point has ${count} attributes, more than ${seriesLabelsMax}`,
  };
}

function unnamable(key: string): SeriesRefusal {
  if (key === '') return { reason: 'empty_label_name', message: 'an attribute has no key' };
  return {
    reason: 'invalid_label_name',
    message: `of the attribute key ${JSON.stringify(key)} only underscores are left as a label name`,
  };
}

function attributeText(set: LabelSet, key: string): string {
  const name = textBytes(key);
  for (let pair = 0; pair < set.count; pair++) {
    if (set.nameLengths[pair] !== name.bytes.length) continue;
    if (textOf(set.text.data, set.nameStarts[pair], set.nameLengths[pair]) !== key) continue;
    return textOf(set.text.data, set.valueStarts[pair], set.valueLengths[pair]);
  }
  return '';
}

function textOf(source: ByteView, start: number, length: number): string {
  return utf8.decode(source.bytes.subarray(start, start + length));
}

/** Remote write requests as samples, native histograms and exemplars, the obvious way. */
import { naiveHistogram } from './naive-histograms.ts';
import { doubleBits, NaiveSamples, type NaiveTask, type Pair } from './naive-samples.ts';
import { decodeRemoteWrite1, decodeRemoteWrite2 } from './prometheus-proto.ts';

// biome-ignore lint/suspicious/noExplicitAny: whatever protobufjs decodes.
type Decoded = any;

export function naiveRemoteWrite1(
  bytes: Uint8Array,
  task: NaiveTask,
  into = new NaiveSamples(task),
): NaiveSamples {
  const request = decodeRemoteWrite1(bytes);
  const pairsOf = (labels: Decoded[]): Pair[] => labels.map(({ name, value }) => [name ?? '', value ?? '']);
  for (const series of request.timeseries) addSeries(pairsOf(series.labels), series, pairsOf, into, task);
  for (const { type, metricFamilyName, help, unit } of request.metadata) {
    into.describe(metricFamilyName, type ?? 0, help ?? '', unit ?? '');
  }
  return into;
}

export function naiveRemoteWrite2(
  bytes: Uint8Array,
  task: NaiveTask,
  into = new NaiveSamples(task),
): NaiveSamples {
  const { symbols, timeseries } = decodeRemoteWrite2(bytes);
  const pairsOf = (refs: number[]): Pair[] | undefined => {
    if (refs.length % 2 !== 0 || refs.some((ref) => ref >= symbols.length)) return undefined;
    return refs.flatMap((ref, i) => (i % 2 === 0 ? [[symbols[ref], symbols[refs[i + 1]!]] as const] : []));
  };
  for (const series of timeseries as Decoded[]) {
    const labels = pairsOf(series.labelsRefs);
    if (labels === undefined || !addSeries(labels, series, pairsOf, into, task)) continue;
    const { metadata } = series;
    if (metadata === undefined) continue;
    const name = labels.find(([label]) => label === '__name__')![1];
    const family = metadata.type === 3 ? name.replace(/_(bucket|sum|count)$/, '') : name;
    into.describe(family, metadata.type ?? 0, symbols[metadata.helpRef ?? 0], symbols[metadata.unitRef ?? 0]);
  }
  return into;
}

/** Returns whether the series has something to be described for. */
function addSeries(
  labels: Pair[],
  series: Decoded,
  pairsOf: (labels: Decoded[]) => Pair[] | undefined,
  into: NaiveSamples,
  task: NaiveTask,
): boolean {
  const present = labels.filter(([, value]) => value !== '');
  const names = present.map(([name]) => name);
  if (new Set(names).size !== names.length || !names.includes('__name__')) return false;
  const sent = JSON.stringify(labels);
  const times: number[] = [];
  const created = Number(series.createdTimestamp ?? 0);
  for (const sample of series.samples) {
    const unixMs = Number(sample.timestamp ?? 0);
    if (!into.isKept(unixMs)) continue;
    const bits = doubleBits(sample.value ?? 0);
    const verdict = into.judge(sent, unixMs, bits.toString());
    if (verdict === 'conflict') continue;
    times.push(unixMs);
    if (verdict === 'repeat') continue;
    into.add(present, unixMs, bits);
    into.addStart(sent, present, unixMs, Number(sample.startTimestamp ?? 0) || created);
  }
  for (const decoded of series.histograms) {
    const unixMs = Number(decoded.timestamp ?? 0);
    const histogram = naiveHistogram(decoded, created);
    if (!into.isKept(unixMs) || histogram === undefined) continue;
    const verdict = into.judge(sent, unixMs, JSON.stringify(decoded));
    if (verdict === 'conflict') continue;
    times.push(unixMs);
    if (verdict === 'fresh') into.addHistogram(present, unixMs, histogram);
  }
  const newestMs = times.length === 0 ? task.nowUnixMs : Math.max(...times);
  for (const exemplar of series.exemplars) {
    const unixMs = Number(exemplar.timestamp ?? 0) || newestMs;
    const own = pairsOf(exemplar.labels ?? exemplar.labelsRefs);
    if (!into.isKept(unixMs) || own === undefined) continue;
    if (into.addExemplar(present, unixMs, doubleBits(exemplar.value ?? 0), own)) times.push(unixMs);
  }
  const isAlone = series.samples.length + series.histograms.length + series.exemplars.length === 0;
  return isAlone || times.length > 0;
}

/** Remote write requests as samples, the obvious way. */
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
  for (const { labels, samples } of request.timeseries) {
    addSeries(
      labels.map((label: Decoded) => [label.name ?? '', label.value ?? ''] as const),
      samples,
      into,
    );
  }
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
  for (const { labelsRefs, samples, metadata } of timeseries as Decoded[]) {
    if (labelsRefs.length % 2 !== 0 || labelsRefs.some((ref: number) => ref >= symbols.length)) continue;
    const labels: Pair[] = [];
    for (let i = 0; i < labelsRefs.length; i += 2)
      labels.push([symbols[labelsRefs[i]], symbols[labelsRefs[i + 1]]]);
    if (!addSeries(labels, samples, into)) continue;
    const name = labels.find(([label]) => label === '__name__')![1];
    const family = metadata.type === 3 ? name.replace(/_(bucket|sum|count)$/, '') : name;
    into.describe(family, metadata.type, symbols[metadata.helpRef ?? 0], symbols[metadata.unitRef ?? 0]);
  }
  return into;
}

function addSeries(labels: Pair[], samples: Decoded[], into: NaiveSamples): boolean {
  const present = labels.filter(([, value]) => value !== '');
  const names = present.map(([name]) => name);
  if (new Set(names).size !== names.length || !names.includes('__name__')) return false;
  const kept = samples.filter(({ timestamp }) => into.isKept(Number(timestamp ?? 0)));
  for (const { value, timestamp } of kept) into.add(present, Number(timestamp ?? 0), doubleBits(value ?? 0));
  return kept.length > 0;
}

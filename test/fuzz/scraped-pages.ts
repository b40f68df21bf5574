/** Metrics pages of every format. What is made of one must be requests that the transcoder takes. */
import { ExpositionError } from '#agent/scrape/exposition-error.ts';
import { type PageFormat, ScrapedPage } from '#agent/scrape/scraped-page.ts';
import { SeriesTracker } from '#agent/scrape/series-tracker.ts';
import { pageSettings } from '../agent/scrape/page-target.ts';
import type { Lcg } from '../support/lcg.ts';
import { encodePage } from '../support/naive/client-metrics-proto.ts';
import { generatorUnixMs } from '../support/otlp-generator.ts';
import { createChecked, type FuzzedDecoder } from './fuzzed-decoder.ts';

const text = `# HELP hits Requests.\n# TYPE hits counter\nhits{path="/a\\"b",code="200"} 12 1700000000000\nhits{path="/"} +Inf\n# EOF\n`;
const openMetrics = `# TYPE a_seconds counter\n# UNIT a_seconds seconds\na_seconds_total{x="1"} 5 # {t="u"} 1 1.5\na_seconds_created{x="1"} 1.25\n# TYPE h histogram\nh_bucket{le="1"} 1 2.5 # {} 0.5\nh_bucket{le="+Inf"} 1\nh_count 1\nh_sum 1\n{"my.name",l="v"} -1e-3\n# EOF\n`;

function protobufPage(random: Lcg): Uint8Array {
  const exemplar = { label: [{ name: 't', value: 'u' }], value: 1, timestamp: { seconds: 5, nanos: 6e6 } };
  const label = [{ name: random.pick(['x', 'ä']), value: random.pick(['', 'y', 'é']) }];
  const deltas = Array.from({ length: 4 }, () => random.int(5));
  const native = {
    // Coarse enough for the limit below after three steps: schema -4 has none left.
    schema: random.int(9) - 1,
    zeroThreshold: 0.5,
    zeroCount: 1,
    sampleCount: 99,
    sampleSum: 1.5,
    positiveSpan: [
      { offset: random.int(9) - 4, length: 2 },
      { offset: 3, length: 2 },
    ],
    positiveDelta: deltas,
    bucket: [{ upperBound: 1, cumulativeCount: 3, exemplar }],
    exemplars: [exemplar],
    createdTimestamp: { seconds: 1 },
  };
  return encodePage(
    [
      { name: 'a_total', help: 'All.', type: 0, metric: [{ label, counter: { value: 1, exemplar } }] },
      {
        name: 's',
        type: 2,
        metric: [{ summary: { sampleCount: 1, quantile: [{ quantile: 0.5, value: 1 }] } }],
      },
      { name: 'h', type: random.pick([4, 5]), metric: [{ label, histogram: native, timestampMs: 5 }] },
    ],
    random.chance(50),
  );
}

const makers: Readonly<Record<PageFormat, (random: Lcg) => Uint8Array>> = {
  text: () => Buffer.from(text),
  openmetrics: () => Buffer.from(openMetrics),
  protobuf: protobufPage,
};

export const scrapedPages = (Object.keys(makers) as PageFormat[]).map((format): FuzzedDecoder => {
  const transcode = createChecked('remote_write');
  // The target lives on, as targets do; a limit that some of the histograms are over.
  const tracker = new SeriesTracker(20_000);
  const settings = pageSettings({
    isTakingClassicHistograms: true,
    isConvertingClassicHistograms: true,
    limits: { nativeHistogramBuckets: 3 },
  });
  const page = new ScrapedPage(tracker, settings);
  let timestampMs = generatorUnixMs;
  return {
    name: `scraped page ${format}`,
    make: makers[format],
    decode(bytes) {
      page.parse(bytes, format);
      tracker.begin(++timestampMs);
      page.writeTo(tracker, timestampMs);
      const run = tracker.end();
      if (run.isRenumbered) page.forgetTexts();
      for (const request of run.requests) {
        const { decodeError } = transcode(request.bytes);
        if (decodeError !== undefined)
          throw new Error(`BUG: the request of a page is refused: ${decodeError}`);
      }
    },
    mayThrow: [ExpositionError],
  };
});

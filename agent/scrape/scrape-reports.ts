/** The series that a scrape leaves about itself, whatever became of it (Prometheus, "Automatically generated labels and time series"). */
import { type Labels, metricNameLabel, sortLabels } from '#model/labels.ts';
import type { SeriesTracker } from './series-tracker.ts';

const reports = {
  scrape_series_added: ['Series that the scrape before did not have.', ''],
  up: ['Whether the last scrape of the target succeeded.', ''],
  scrape_duration_seconds: ['How long the scrape of the target took.', 'seconds'],
  scrape_samples_scraped: ['Samples on the page of the target.', ''],
  scrape_samples_post_metric_relabeling: ['Samples of the page that were kept.', ''],
} as const;
const extraReports = {
  scrape_timeout_seconds: ['The time that a scrape of the target may take.', 'seconds'],
  scrape_sample_limit: ['Samples that a page may have after relabeling; 0 where there is no limit.', ''],
  scrape_body_size_bytes: ['Size of the last page, uncompressed; -1 where it was over the limit.', 'bytes'],
} as const;

type ReportName = keyof typeof reports | keyof typeof extraReports;

/** Adds the report's series to the tracker, so that writeReport adds none. Returns their numbers. */
export function addReportSeries(
  tracker: SeriesTracker,
  targetLabels: Labels,
  hasExtraMetrics: boolean,
): Map<ReportName, number> {
  const texts = Object.entries({ ...reports, ...(hasExtraMetrics ? extraReports : {}) });
  return new Map(
    texts.map(([metric, [help, unit]]) => {
      const labels = sortLabels([...targetLabels, [metricNameLabel, metric]]);
      const series = tracker.seriesOf(labels, { type: 'gauge', help, unit });
      return [metric as ReportName, series];
    }),
  );
}

/** Writes those of the report's values that have a series into the tracker's run. */
export function writeReport(
  tracker: SeriesTracker,
  series: ReadonlyMap<ReportName, number>,
  report: Readonly<Record<ReportName, number>>,
): void {
  for (const [metric, number] of series) tracker.write(number, report[metric], Number.NaN);
}

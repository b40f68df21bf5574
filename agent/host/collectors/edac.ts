/**
 * /sys/devices/system/edac/mc: memory errors.
 *
 *   mc0/ce_count "1"           ->  node_edac_correctable_errors_total{controller="0"} 1
 *   mc0/csrow0/ue_count "5"    ->  node_edac_csrow_uncorrectable_errors_total{controller="0",csrow="0"} 5
 */
import type { HostCollector } from '../host-collector.ts';
import { counter, fieldNumber, type HostMetric, type HostSample, sampleOf } from '../host-sample.ts';

const correctable = counter('node_edac_correctable_errors_total', 'Memory errors that were corrected.');
const uncorrectable = counter(
  'node_edac_uncorrectable_errors_total',
  'Memory errors that were not corrected.',
);
const rowCorrectable = counter(
  'node_edac_csrow_correctable_errors_total',
  'Memory errors of this row that were corrected.',
);
const rowUncorrectable = counter(
  'node_edac_csrow_uncorrectable_errors_total',
  'Memory errors of this row that were not corrected.',
);

export const edacCollector: HostCollector = {
  name: 'edac',
  isDefault: true,
  reads: '/sys/devices/system/edac/mc',
  makes: 'node_edac_*_errors_total',
  create: (files) => () => {
    const base = files.sys('devices/system/edac/mc');
    const read = (metric: HostMetric, path: string, labels: Record<string, string>): HostSample[] =>
      sampleOf(metric, fieldNumber(files.attribute(path)), labels);
    return files.list(base, /^mc\d+$/).flatMap((name) => {
      const path = `${base}/${name}`;
      const controller = name.slice(2);
      return [
        ...read(correctable, `${path}/ce_count`, { controller }),
        ...read(rowCorrectable, `${path}/ce_noinfo_count`, { controller, csrow: 'unknown' }),
        ...read(uncorrectable, `${path}/ue_count`, { controller }),
        ...read(rowUncorrectable, `${path}/ue_noinfo_count`, { controller, csrow: 'unknown' }),
        ...files.list(path, /^csrow\d+$/).flatMap((row) => {
          const labels = { controller, csrow: row.slice('csrow'.length) };
          return [
            ...read(rowCorrectable, `${path}/${row}/ce_count`, labels),
            ...read(rowUncorrectable, `${path}/${row}/ue_count`, labels),
          ];
        }),
      ];
    });
  },
};

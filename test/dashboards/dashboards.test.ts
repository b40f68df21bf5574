/**
 * Goal: every panel of every dashboard asks for something that Sonde can answer.
 * Method: parse each expression with our own PromQL, and look for each of our metric names among the instruments in the
 * code, translated as OTLP metrics are.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { parsePromql } from '#query/promql/parser.ts';

const root = join(import.meta.dirname, '../..');

interface Dashboard {
  readonly panels: readonly {
    readonly title: string;
    readonly datasource: { readonly type: string; readonly uid: string };
    readonly targets: readonly { readonly expr: string }[];
  }[];
}

const dashboards = readdirSync(join(root, 'dashboards')).map((name) => ({
  name,
  dashboard: JSON.parse(readFileSync(join(root, 'dashboards', name), 'utf8')) as Dashboard,
}));

/** `sonde.store.rows` -> `sonde_store_rows`, for every instrument that the sources create. */
function instrumentNames(): Set<string> {
  const names = new Set<string>();
  for (const folder of ['model', 'wire', 'agent', 'collector', 'store', 'query']) {
    for (const path of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
      if (!path.endsWith('.ts')) continue;
      for (const [, name] of readFileSync(join(root, folder, path), 'utf8').matchAll(
        /'(sonde\.[a-z_.]+)'/g,
      )) {
        names.add(name!.replaceAll('.', '_'));
      }
    }
  }
  return names;
}

test('every panel asks for metrics that exist, in PromQL that is supported, of a data source that is provisioned', () => {
  const instruments = instrumentNames();
  const { datasources } = parse(readFileSync(join(root, 'deploy/grafana/datasources/sonde.yml'), 'utf8')) as {
    datasources: readonly { readonly uid: string }[];
  };
  let expressions = 0;
  for (const { name, dashboard } of dashboards) {
    for (const { title, datasource, targets } of dashboard.panels) {
      expect(
        datasources.map(({ uid }) => uid),
        `${name}: ${title}`,
      ).toContain(datasource.uid);
      for (const { expr } of targets) {
        const query = expr.replaceAll('$__rate_interval', '1m');
        parsePromql(query);
        for (const [metric] of query.matchAll(/\bsonde_[a-z_]+/g)) {
          const instrument = metric
            .replace(/(_(bucket|count|sum))?$/, '')
            .replace(/(_total|_seconds|_bytes)$/, '');
          const isKnown = instruments.has(metric) || instruments.has(instrument);
          expect(isKnown, `${name}: ${title}: ${metric}`).toBe(true);
        }
        expressions++;
      }
    }
  }
  expect(expressions).toBeGreaterThan(10);
});

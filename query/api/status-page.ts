/** The page at `/`: what runs here, and the addresses that Grafana's data sources need. */
import type { FastifyInstance } from 'fastify';

export interface StatusPageOptions {
  readonly version: string;
  readonly role: string;
  /** Name and value, shown as a table and read anew for each view. */
  readonly facts: () => readonly (readonly [string, string])[];
}

/** Base paths on this port, as a person enters them in Grafana. */
export const dataSourcePaths = [
  ['Prometheus', '/prometheus'],
  ['Loki', ''],
  ['Tempo', '/tempo'],
  ['Jaeger', '/jaeger'],
] as const;

export function registerStatusPage(app: FastifyInstance, options: StatusPageOptions): void {
  app.get('/', async (request, reply) => {
    const base = `${request.protocol}://${request.host}`;
    const rows = (pairs: readonly (readonly [string, string])[]): string =>
      pairs
        .map(([name, value]) => `<tr><th>${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>`)
        .join('\n');
    reply.header('content-type', 'text/html; charset=utf-8');
    return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sonde</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem}
th{text-align:left;font-weight:normal;color:#555;padding-right:2rem}code{background:#eee;padding:0 .3em}</style></head>
<body><h1>Sonde ${escapeHtml(options.version)}</h1>
<h2>This process (${escapeHtml(options.role)})</h2>
<table>${rows(options.facts())}</table>
<h2>Data sources for Grafana</h2>
<table>${rows(dataSourcePaths.map(([name, path]) => [name, `${base}${path}`]))}</table>
<p>Health: <a href="/ready">/ready</a>, <a href="/live">/live</a>. Own metrics: <a href="/metrics">/metrics</a>.
Alerts: <a href="/api/v1/alerts">/api/v1/alerts</a>. Scaling signals:
<a href="/sonde/api/v1/scaling/signals">/sonde/api/v1/scaling/signals</a>.</p>
</body></html>
`;
  });
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

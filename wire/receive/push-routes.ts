/** Where each push protocol is listened for. Agents and collectors take all of them; the query port takes a few. */
import { receivePaths } from '../bus.ts';
import { influxProtocol } from './influx-protocol.ts';
import { lokiProtocol } from './loki-protocol.ts';
import { otlpProtocol } from './otlp-protocol.ts';
import type { PushProtocol } from './push-protocol.ts';
import { remoteWriteProtocol } from './remote-write-protocol.ts';
import { zipkinProtocol } from './zipkin-protocol.ts';

export interface PushRoute {
  readonly path: string;
  readonly protocol: PushProtocol;
}

const remoteWriteRoute: PushRoute = { path: receivePaths.remote_write, protocol: remoteWriteProtocol };

/** What a Prometheus takes: remote write, and OTLP metrics. */
export const prometheusRoutes: readonly PushRoute[] = [
  remoteWriteRoute,
  { path: '/api/v1/otlp/v1/metrics', protocol: otlpProtocol('metrics') },
];

/** Loki's push API, and that of its first version. */
export const lokiRoutes: readonly PushRoute[] = ['/loki/api/v1/push', '/api/prom/push'].map((path) => ({
  path,
  protocol: lokiProtocol,
}));

/** Of versions 2 and 1. */
const influxRoutes: readonly PushRoute[] = ['/api/v2/write', '/write'].map((path) => ({
  path,
  protocol: influxProtocol,
}));

export const allRoutes: readonly PushRoute[] = [
  ...(['logs', 'traces', 'metrics'] as const).map((signal) => ({
    path: receivePaths[signal],
    protocol: otlpProtocol(signal),
  })),
  ...prometheusRoutes,
  ...lokiRoutes,
  { path: '/api/v2/spans', protocol: zipkinProtocol },
  ...influxRoutes,
];

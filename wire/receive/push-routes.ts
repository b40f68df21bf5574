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

export const remoteWriteRoutes: readonly PushRoute[] = [
  { path: receivePaths.remote_write, protocol: remoteWriteProtocol },
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
  ...remoteWriteRoutes,
  ...lokiRoutes,
  { path: '/api/v2/spans', protocol: zipkinProtocol },
  ...influxRoutes,
];

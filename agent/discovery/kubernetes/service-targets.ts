/**
 * Services, and the addresses behind them, as targets (kubernetes_sd, roles service, endpoints and endpointslice).
 *
 *   service web in shop with port 80  ->  { __address__: 'web.shop.svc:80', ... }
 */
import type {
  CoreV1EndpointPort,
  V1Endpoint,
  V1EndpointAddress,
  V1EndpointSlice,
  V1Endpoints,
  V1Pod,
  V1Service,
} from '@kubernetes/client-node';
import { hostPort } from '../label-name.ts';
import type { TargetGroup } from '../target-group.ts';
import { EndpointPods } from './endpoint-pods.ts';
import {
  type AttachedMetadata,
  attachedNamespaceLabels,
  attachedNodeLabels,
  objectLabels,
  type Target,
} from './object-labels.ts';

/** What targets of endpoints are told of besides. */
export interface EndpointNeighbours extends AttachedMetadata {
  readonly pods: ReadonlyMap<string, V1Pod>;
  readonly services: ReadonlyMap<string, V1Service>;
}

export function serviceGroup(service: V1Service, attached: AttachedMetadata): TargetGroup {
  const { namespace = '', name = '' } = service.metadata ?? {};
  const { spec } = service;
  const type = spec?.type ?? '';
  return {
    source: `svc/${namespace}/${name}`,
    targets: (spec?.ports ?? []).map((port) => ({
      __address__: hostPort(`${name}.${namespace}.svc`, port.port),
      __meta_kubernetes_service_port_name: port.name ?? '',
      __meta_kubernetes_service_port_number: String(port.port),
      __meta_kubernetes_service_port_protocol: port.protocol ?? '',
      __meta_kubernetes_service_type: type,
      ...(type === 'ExternalName'
        ? { __meta_kubernetes_service_external_name: spec?.externalName ?? '' }
        : { __meta_kubernetes_service_cluster_ip: spec?.clusterIP ?? '' }),
      ...(type === 'LoadBalancer' && {
        __meta_kubernetes_service_loadbalancer_ip: spec?.loadBalancerIP ?? '',
      }),
    })),
    labels: { ...serviceLabels(service), ...attachedNamespaceLabels(attached, namespace) },
  };
}

function serviceLabels(service: V1Service | undefined): Target {
  if (service === undefined) return {};
  return {
    __meta_kubernetes_namespace: service.metadata?.namespace ?? '',
    ...objectLabels('service', service.metadata),
  };
}

export function endpointsGroup(endpoints: V1Endpoints, neighbours: EndpointNeighbours): TargetGroup {
  const { namespace = '', name = '' } = endpoints.metadata ?? {};
  const pods = new EndpointPods(neighbours.pods);
  const target = (address: V1EndpointAddress, port: CoreV1EndpointPort, isReady: boolean): Target => ({
    __address__: hostPort(address.ip, port.port),
    __meta_kubernetes_endpoint_port_name: port.name ?? '',
    __meta_kubernetes_endpoint_port_protocol: port.protocol ?? '',
    __meta_kubernetes_endpoint_ready: String(isReady),
    ...(address.targetRef && {
      __meta_kubernetes_endpoint_address_target_kind: address.targetRef.kind ?? '',
      __meta_kubernetes_endpoint_address_target_name: address.targetRef.name ?? '',
    }),
    ...(address.nodeName !== undefined && { __meta_kubernetes_endpoint_node_name: address.nodeName }),
    ...(address.hostname && { __meta_kubernetes_endpoint_hostname: address.hostname }),
    ...attachedNodeLabels(
      neighbours,
      address.nodeName ?? (address.targetRef?.kind === 'Node' ? address.targetRef.name : undefined),
    ),
    ...pods.labels(address.targetRef, port.port),
  });
  const targets = (endpoints.subsets ?? []).flatMap((subset) =>
    (subset.ports ?? []).flatMap((port) => [
      ...(subset.addresses ?? []).map((address) => target(address, port, true)),
      ...(subset.notReadyAddresses ?? []).map((address) => target(address, port, false)),
    ]),
  );
  return {
    source: `endpoints/${namespace}/${name}`,
    targets: [...targets, ...pods.otherPorts()],
    labels: {
      __meta_kubernetes_namespace: namespace,
      ...serviceLabels(neighbours.services.get(`${namespace}/${name}`)),
      ...objectLabels('endpoints', endpoints.metadata),
      ...attachedNamespaceLabels(neighbours, namespace),
    },
  };
}

const serviceNameLabel = 'kubernetes.io/service-name';

export function endpointSliceGroup(slice: V1EndpointSlice, neighbours: EndpointNeighbours): TargetGroup {
  const { namespace = '', name = '', labels } = slice.metadata ?? {};
  const pods = new EndpointPods(neighbours.pods);
  const targets = (slice.endpoints ?? []).flatMap((endpoint) =>
    (slice.ports ?? []).flatMap((port) =>
      (endpoint.addresses ?? []).map((address) => ({
        __address__: port.port === undefined ? address : hostPort(address, port.port),
        ...present({
          __meta_kubernetes_endpointslice_port_name: port.name,
          __meta_kubernetes_endpointslice_port_protocol: port.protocol,
          __meta_kubernetes_endpointslice_port: port.port?.toString(),
          __meta_kubernetes_endpointslice_port_app_protocol: port.appProtocol,
        }),
        ...sliceEndpointLabels(endpoint),
        ...attachedNodeLabels(
          neighbours,
          endpoint.targetRef?.kind === 'Node' ? endpoint.targetRef.name : endpoint.nodeName,
        ),
        ...pods.labels(endpoint.targetRef, port.port),
      })),
    ),
  );
  const service = labels?.[serviceNameLabel];
  return {
    source: `endpointslice/${namespace}/${name}`,
    targets: [...targets, ...pods.otherPorts()],
    labels: {
      __meta_kubernetes_namespace: namespace,
      __meta_kubernetes_endpointslice_address_type: slice.addressType,
      ...objectLabels('endpointslice', slice.metadata),
      ...(service !== undefined && serviceLabels(neighbours.services.get(`${namespace}/${service}`))),
      ...attachedNamespaceLabels(neighbours, namespace),
    },
  };
}

function sliceEndpointLabels({ conditions, hostname, targetRef, nodeName, zone }: V1Endpoint): Target {
  return present({
    __meta_kubernetes_endpointslice_endpoint_conditions_ready: conditions?.ready?.toString(),
    __meta_kubernetes_endpointslice_endpoint_conditions_serving: conditions?.serving?.toString(),
    __meta_kubernetes_endpointslice_endpoint_conditions_terminating: conditions?.terminating?.toString(),
    __meta_kubernetes_endpointslice_endpoint_hostname: hostname,
    __meta_kubernetes_endpointslice_address_target_kind: targetRef && (targetRef.kind ?? ''),
    __meta_kubernetes_endpointslice_address_target_name: targetRef && (targetRef.name ?? ''),
    __meta_kubernetes_endpointslice_endpoint_node_name: nodeName,
    __meta_kubernetes_endpointslice_endpoint_zone: zone,
  });
}

function present(labels: Readonly<Record<string, string | undefined>>): Target {
  const kept: Target = {};
  for (const [name, value] of Object.entries(labels)) if (value !== undefined) kept[name] = value;
  return kept;
}

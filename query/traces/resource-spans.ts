/**
 * The tree that OTLP sends: spans under their scope, scopes under their resource, each in order of first appearance.
 *
 *   spans of (checkout, http), (checkout, grpc), (cart, http)  ->  checkout [http, grpc], cart [http]
 */
import type { Attributes, Span, Trace } from './trace.ts';

export interface ScopeSpans {
  readonly name: string;
  readonly version: string;
  readonly spans: readonly Span[];
}

export interface ResourceSpans {
  readonly attributes: Attributes;
  readonly scopes: readonly ScopeSpans[];
}

/** Groups the spans of a trace. Resources are the same when their attributes are, in any order. */
export function groupByResource(trace: Trace): ResourceSpans[] {
  const resources = new Map<
    string,
    { attributes: Attributes; scopes: Map<string, ScopeSpans & { spans: Span[] }> }
  >();
  for (const span of trace.spans) {
    const resourceKey = resourceIdentity(span);
    let resource = resources.get(resourceKey);
    if (resource === undefined) {
      resource = { attributes: span.resource, scopes: new Map() };
      resources.set(resourceKey, resource);
    }
    const scopeKey = JSON.stringify([span.scopeName, span.scopeVersion]);
    let scope = resource.scopes.get(scopeKey);
    if (scope === undefined) {
      scope = { name: span.scopeName, version: span.scopeVersion, spans: [] };
      resource.scopes.set(scopeKey, scope);
    }
    scope.spans.push(span);
  }
  return [...resources.values()].map(({ attributes, scopes }) => ({
    attributes,
    scopes: [...scopes.values()],
  }));
}

/** Equal text for spans of one resource. */
export function resourceIdentity(span: Span): string {
  const sorted = [...span.resource].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return JSON.stringify([span.service, sorted]);
}

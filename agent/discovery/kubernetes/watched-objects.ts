/**
 * All objects of one kind (of a namespace, of a selector) as the API server has them, for the targets that are made of them.
 *
 *   new WatchedObjects<V1Pod>({ path: '/api/v1/pods', fieldSelector: 'spec.nodeName=node-1', ... }).objects  ->  Map 'ns/name' -> pod
 */
import type { V1ObjectMeta } from '@kubernetes/client-node';
import { errorMessage } from '#model/errors.ts';
import type { HttpEndpoint } from '../../containers/http-request.ts';
import { HttpStatusError } from '../../containers/json-http.ts';
import { type RetryDelays, retryDelaysDefault } from '../../containers/retry-delay.ts';
import { type ListBounds, ListWatch } from '../../kubernetes/list-watch.ts';
import type { FollowedObjects, NodePods, ObjectFollower } from '../../kubernetes/node-pods.ts';

export interface KubeObject {
  readonly metadata?: V1ObjectMeta;
}

export interface WatchedObjectsOptions {
  /** `/api/v1/pods`, `/api/v1/namespaces/shop/pods`, ... */
  readonly path: string;
  /** `pods` */
  readonly resource: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly endpoint: HttpEndpoint;
  /** Has just these objects: they are followed there, without a watch of their own. */
  readonly nodePods?: NodePods | undefined;
  /** After each complete list and each event. */
  readonly onChange: () => void;
  readonly retry?: RetryDelays;
}

/** Of a whole cluster: its server may send a list from memory in one page. */
const bounds: ListBounds = {
  objectsMax: 500_000,
  pagesMax: 10_000,
  page: { bytesMax: 256 * 1024 * 1024, msMax: 120_000 },
};

export class WatchedObjects<Kind extends KubeObject> {
  readonly #path: string;
  readonly #onChange: () => void;
  readonly #watch: FollowedObjects;
  #objects = new Map<string, Kind>();
  #refused = 0;

  /** Starts at once. */
  constructor(options: WatchedObjectsOptions) {
    const { path, resource, endpoint, labelSelector, fieldSelector } = options;
    this.#path = path;
    this.#onChange = options.onChange;
    const follower: ObjectFollower<Kind> = {
      pick: withoutManagers,
      onReplace: (objects) => this.#replace(objects),
      onUpsert: (object) => this.#upsert(object),
      onRemove: (object) => this.#remove(object),
    };
    if (options.nodePods !== undefined) {
      this.#watch = options.nodePods.follow(follower);
      return;
    }
    this.#watch = new ListWatch<Kind>({
      ...follower,
      endpoint,
      path,
      query: { ...(labelSelector && { labelSelector }), ...(fieldSelector && { fieldSelector }) },
      resource,
      problemText: (error) => `${path}: ${reasonOf(error)}`,
      bounds,
      retry: options.retry ?? retryDelaysDefault,
      random: Math.random,
    });
  }

  /** By `namespace/name`, or name where there is no namespace. */
  get objects(): ReadonlyMap<string, Kind> {
    return this.#objects;
  }

  /** True once the first complete list is there. */
  get isListed(): boolean {
    return this.#watch.isReady;
  }

  problem(): string {
    const { skipped } = this.#watch;
    return [
      this.#watch.problem(),
      this.#refused > 0 ? `${this.#path}: more than ${bounds.objectsMax} objects: the rest is left out` : '',
      skipped > 0 ? `${this.#path}: ${skipped} objects are not as expected: they were left out` : '',
    ]
      .filter((text) => text !== '')
      .join('; ');
  }

  async stop(): Promise<void> {
    await this.#watch.stop();
  }

  #replace(objects: readonly Kind[]): void {
    this.#objects = new Map(objects.map((object) => [keyOf(object), object]));
    this.#refused = 0;
    this.#onChange();
  }

  #upsert(object: Kind): void {
    const key = keyOf(object);
    if (this.#objects.size >= bounds.objectsMax && !this.#objects.has(key)) {
      this.#refused += 1;
      return;
    }
    this.#objects.set(key, object);
    this.#onChange();
  }

  #remove(object: Kind): void {
    this.#objects.delete(keyOf(object));
    this.#onChange();
  }
}

function withoutManagers<Kind extends KubeObject>(object: unknown): Kind {
  const metadata = (object as Kind | null)?.metadata;
  if (typeof metadata?.name !== 'string') throw new Error('an object has no metadata.name');
  // Who wrote which field is a large part of an object, and nobody asks for it.
  delete metadata.managedFields;
  return object as Kind;
}

/** `namespace/name`, or the name of an object that is in no namespace. */
function keyOf({ metadata }: KubeObject): string {
  const { namespace, name = '' } = metadata ?? {};
  return namespace === undefined ? name : `${namespace}/${name}`;
}

function reasonOf(error: unknown): string {
  return error instanceof HttpStatusError
    ? `the API server answered ${error.status}: ${error.detail}`
    : errorMessage(error);
}

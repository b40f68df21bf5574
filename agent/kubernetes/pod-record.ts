/**
 * What is kept of a pod: a tenth of the object that the API server sends (v1.Pod), and nothing else.
 *
 * A field that is absent is empty; one of the wrong type makes the whole object an error, which is counted.
 */
import { z } from 'zod';
import { ApiObjectError } from '../containers/api-object-error.ts';
import { isAliyunVariable } from '../containers/rules/aliyun-labels.ts';

export interface OwnerRecord {
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}

export interface ContainerRecord {
  readonly name: string;
  readonly image: string;
  /** `docker.io/library/nginx@sha256:...`; '' until it is pulled. */
  readonly imageId: string;
  /** `containerd://<64 hex digits>`; '' until it is created. */
  readonly id: string;
  /** Of the run before this one. */
  readonly previousId: string;
  readonly restartCount: number;
  readonly environment: Readonly<Record<string, string>>;
  /** `source` is '' where the host's path is not known. */
  readonly mounts: readonly { readonly source: string; readonly target: string }[];
}

export interface PodRecord {
  readonly uid: string;
  /** In paths of the host: of a static pod the hash of its configuration, else the uid. */
  readonly pathUid: string;
  readonly namespace: string;
  readonly name: string;
  readonly node: string;
  readonly qosClass: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly owner: OwnerRecord | undefined;
  readonly containers: readonly ContainerRecord[];
}

/** kubelet's own directory of pods; kubelets with another --root-dir are not seen. */
const podsPath = '/var/lib/kubelet/pods';
/** kubelet runs the pods of files; in the API they are mirrors with uids of their own. */
const mirrorAnnotation = 'kubernetes.io/config.mirror';
/** Far above what kubelet accepts on a node. */
const containersMax = 200;
const mountsMax = 200;

const text = z.string().default('');
const texts = z.record(z.string(), z.string()).nullish();
const listOf = <Item extends z.ZodType>(item: Item) => z.array(item).nullish();

const containerSpec = z.object({
  name: z.string(),
  image: text,
  env: listOf(z.object({ name: z.string(), value: z.string().optional() })),
  volumeMounts: listOf(
    z.object({ name: z.string(), mountPath: z.string(), subPath: text, subPathExpr: text }),
  ),
});
const containerStatus = z.object({
  name: z.string(),
  containerID: text,
  imageID: text,
  restartCount: z.number().int().min(0).default(0),
  lastState: z.object({ terminated: z.object({ containerID: text }).nullish() }).nullish(),
});
const podSchema = z.object({
  metadata: z.object({
    uid: z.string().min(1),
    name: z.string().min(1),
    namespace: z.string().min(1),
    labels: texts,
    annotations: texts,
    ownerReferences: listOf(
      z.object({ kind: z.string(), name: z.string(), uid: z.string(), controller: z.boolean().optional() }),
    ),
  }),
  spec: z.object({
    nodeName: text,
    containers: z.array(containerSpec).default([]),
    initContainers: listOf(containerSpec),
    ephemeralContainers: listOf(containerSpec),
    volumes: listOf(
      z.object({
        name: z.string(),
        emptyDir: z.looseObject({}).nullish(),
        hostPath: z.object({ path: z.string() }).nullish(),
      }),
    ),
  }),
  status: z
    .object({
      qosClass: text,
      containerStatuses: listOf(containerStatus),
      initContainerStatuses: listOf(containerStatus),
      ephemeralContainerStatuses: listOf(containerStatus),
    })
    .default({ qosClass: '' }),
});
type PodObject = z.infer<typeof podSchema>;
type ContainerSpec = z.infer<typeof containerSpec>;

/**
 * Returns the record of a pod as the API server sends it. `keepsAnnotation` chooses annotations by key: the others, of
 * which kubectl's alone may have 256 KiB, are not kept. Throws ApiObjectError that names the field at fault.
 */
export function readPod(object: unknown, keepsAnnotation: (key: string) => boolean): PodRecord {
  const parsed = podSchema.safeParse(object);
  if (!parsed.success) throw new ApiObjectError('a pod', parsed.error);
  const { metadata, spec, status } = parsed.data;
  const annotations = metadata.annotations ?? {};
  const pathUid = annotations[mirrorAnnotation] || metadata.uid;
  const owners = metadata.ownerReferences ?? [];
  const owner = owners.find(({ controller }) => controller === true) ?? owners[0];
  const specs = [...spec.containers, ...(spec.initContainers ?? []), ...(spec.ephemeralContainers ?? [])];
  const statuses = [
    ...(status.containerStatuses ?? []),
    ...(status.initContainerStatuses ?? []),
    ...(status.ephemeralContainerStatuses ?? []),
  ];
  return {
    uid: metadata.uid,
    pathUid,
    namespace: metadata.namespace,
    name: metadata.name,
    node: spec.nodeName,
    qosClass: status.qosClass,
    labels: metadata.labels ?? {},
    annotations: Object.fromEntries(Object.entries(annotations).filter(([key]) => keepsAnnotation(key))),
    owner: owner && { kind: owner.kind, name: owner.name, uid: owner.uid },
    containers: specs.slice(0, containersMax).map((container): ContainerRecord => {
      const now = statuses.find(({ name }) => name === container.name);
      return {
        name: container.name,
        image: container.image,
        imageId: now?.imageID ?? '',
        id: now?.containerID ?? '',
        previousId: now?.lastState?.terminated?.containerID ?? '',
        restartCount: now?.restartCount ?? 0,
        environment: Object.fromEntries(
          (container.env ?? [])
            .filter(({ name, value }) => value !== undefined && isAliyunVariable(name))
            .map(({ name, value }) => [name, value!]),
        ),
        mounts: mountsOf(container, spec.volumes, pathUid),
      };
    }),
  };
}

function mountsOf(
  { volumeMounts }: ContainerSpec,
  volumes: PodObject['spec']['volumes'],
  pathUid: string,
): ContainerRecord['mounts'] {
  return (volumeMounts ?? []).slice(0, mountsMax).map(({ name, mountPath, subPath, subPathExpr }) => {
    const volume = volumes?.find((candidate) => candidate.name === name);
    const root =
      volume?.hostPath?.path ??
      (volume?.emptyDir ? `${podsPath}/${pathUid}/volumes/kubernetes.io~empty-dir/${name}` : '');
    // The value of a subPathExpr has variables of the running container in it.
    const isKnown = root !== '' && subPathExpr === '' && !subPath.split('/').includes('..');
    return { source: isKnown ? root + (subPath === '' ? '' : `/${subPath}`) : '', target: mountPath };
  });
}

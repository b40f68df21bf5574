/**
 * What is kept of a container: few fields of Docker's inspection (Engine API, ContainerInspect), which podman's
 * compatible API answers alike.
 */
import { z } from 'zod';
import { ApiObjectError } from '../containers/api-object-error.ts';
import { isAliyunVariable } from '../containers/rules/aliyun-labels.ts';

export interface DockerRecord {
  /** 64 hex digits. */
  readonly id: string;
  readonly name: string;
  /** As it was asked for: `nginx:1.27`. */
  readonly image: string;
  /** `sha256:<64 hex digits>`; '' for a container without an image, as podman makes one of a directory. */
  readonly imageId: string;
  readonly restartCount: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Labels that are too long or too many. */
  readonly labelsLeftOut: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly mounts: readonly { readonly source: string; readonly target: string }[];
  /** The host's path of the container's root file system; undefined where neither driver nor process tells. */
  readonly rootPath: string | undefined;
}

const mountsMax = 200;
/** Docker bounds neither the number of labels nor their length. */
export const labelsMax = 200;
export const labelCharactersMax = 4096;

const text = z.string().default('');
const inspectSchema = z.object({
  Id: z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hex digits'),
  Name: text,
  Image: text,
  RestartCount: z.number().int().min(0).default(0),
  State: z.object({ Pid: z.number().int().default(0) }).nullish(),
  Config: z.object({
    Image: text,
    Env: z.array(z.string()).nullish(),
    Labels: z.record(z.string(), z.string()).nullish(),
  }),
  Mounts: z.array(z.object({ Source: text, Destination: text })).nullish(),
  GraphDriver: z.object({ Data: z.record(z.string(), z.unknown()).nullish() }).nullish(),
});

/** Throws ApiObjectError that names the field at fault. */
export function readDockerContainer(object: unknown): DockerRecord {
  const parsed = inspectSchema.safeParse(object);
  if (!parsed.success) throw new ApiObjectError('an inspected container', parsed.error);
  const { Id, Name, Image, RestartCount, State, Config, Mounts, GraphDriver } = parsed.data;
  const merged = GraphDriver?.Data?.MergedDir;
  const pid = State?.Pid ?? 0;
  const labels = Object.entries(Config.Labels ?? {});
  const kept = labels.filter(([, value]) => value.length <= labelCharactersMax).slice(0, labelsMax);
  return {
    id: Id,
    name: Name.replace(/^\//, ''),
    image: Config.Image,
    imageId: /^(sha256:)?[0-9a-f]{64}$/.test(Image) ? Image : '',
    restartCount: RestartCount,
    labels: Object.fromEntries(kept),
    labelsLeftOut: labels.length - kept.length,
    environment: Object.fromEntries(
      (Config.Env ?? [])
        .filter((line) => isAliyunVariable(line) && line.includes('='))
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    ),
    mounts: (Mounts ?? [])
      .slice(0, mountsMax)
      .map(({ Source, Destination }) => ({ source: Source, target: Destination })),
    // Image stores of containerd say no directory: the root of the running process is the same.
    rootPath:
      typeof merged === 'string' && merged !== '' ? merged : pid > 0 ? `/proc/${pid}/root` : undefined,
  };
}

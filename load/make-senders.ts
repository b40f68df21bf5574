/** The senders of a plan: a container for each log file; two clients for each pushed signal. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { ContainerLog, dockerContainerPath, podContainerPath } from './files/container-log.ts';
import { FileSender } from './files/file-sender.ts';
import type { LogFormat } from './files/line-framing.ts';
import type { FilePlan, LoadPlan } from './load-plan.ts';
import { logSignal } from './push/log-signal.ts';
import { PushSender } from './push/push-sender.ts';
import type { PushSignal } from './push/push-signal.ts';
import { pusherName, pushersPerSignal } from './push/pusher-name.ts';
import { sampleSignal } from './push/sample-signal.ts';
import { spanSignal } from './push/span-signal.ts';
import type { SenderKind } from './run-report.ts';
import type { Sender } from './sender.ts';

type OnRetry = (sender: string, reason: string) => void;

/** Makes the log files. Throws the system's error where it cannot. */
export function makeSenders(plan: LoadPlan, onRetry: OnRetry): Sender[] {
  const { run, shape, otlpUrl, remoteWriteUrl } = plan;
  const senders: Sender[] = [];
  if (plan.files !== undefined) senders.push(...makeFileSenders(plan, plan.files));
  const addPushers = (url: string, kind: SenderKind, makeSignal: (name: string) => PushSignal): void => {
    for (let i = 1; i <= pushersPerSignal; i++) {
      const name = pusherName(kind, i);
      const signal = makeSignal(name);
      // The first names its batches, as our agents do; the second is any other client.
      const hasBatchId = i === 1;
      const { headers } = plan;
      senders.push(new PushSender({ name, kind, run, url, signal, headers, hasBatchId, onRetry }));
    }
  };
  if (otlpUrl !== undefined) {
    addPushers(otlpUrl, 'otlp_logs', (name) => logSignal(run, name, shape));
    addPushers(otlpUrl, 'otlp_spans', (name) => spanSignal(run, name, plan.spansPerTrace));
  }
  if (remoteWriteUrl !== undefined) {
    addPushers(remoteWriteUrl, 'samples', (name) => sampleSignal(run, name, plan.seriesCount));
  }
  return senders;
}

function makeFileSenders({ run, shape }: LoadPlan, files: FilePlan): FileSender[] {
  return Array.from({ length: files.containers }, (_, i) => {
    const format = files.formats[i % files.formats.length]!;
    const name = `log-file-${i + 1}`;
    const path = containerPath(files.directory, format, run, name);
    return new FileSender({ name, run, shape, log: new ContainerLog(path, format, files.rotation) });
  });
}

/** Below /var/log/pods, /var/lib/docker/containers or any directory, as the format's runtime lays its files out. */
function containerPath(directory: string, format: LogFormat, run: string, name: string): string {
  const digest = createHash('sha256').update(`${run}\n${name}`).digest('hex');
  if (format === 'docker') return dockerContainerPath(directory, digest, name);
  if (format === 'plain') return join(directory, `${name}.${run}.log`);
  const uid = digest.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  const pod = `${name}-${digest.slice(32, 37)}`;
  return podContainerPath(directory, { namespace: 'sonde-load', pod, uid, container: name });
}

/**
 * Log rotation as those do it who rotate the files of containers: the kubelet, docker, logrotate.
 *
 *   kubelet    0.log -> 0.log.20260101-120000              (pkg/kubelet/logs, container_log_manager)
 *   docker     x-json.log -> x-json.log.1 -> .2            (daemon/logger/loggerutils, logfile)
 *   logrotate  app.log -> app.log.1 -> .2                  (rename and create, or copytruncate)
 */
import { copyFileSync, existsSync, renameSync, rmSync, truncateSync } from 'node:fs';
import type { LogFormat } from './line-framing.ts';

export const rotationModes = ['rename', 'copytruncate', 'none'] as const;
export type RotationMode = (typeof rotationModes)[number];

export interface Rotation {
  readonly mode: RotationMode;
  /** The size at which a file is rotated. */
  readonly bytes: number;
  /** Rotated files that stay; the oldest is deleted, read or not. */
  readonly kept: number;
}

/** Moves the file aside under the kubelet's name. Returns that name; the caller deletes the oldest of them. */
export function renameAsKubelet(path: string, now: Date): string {
  const stamp = now.toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
  let target = `${path}.${stamp}`;
  // Two rotations within a second, as only a load has.
  for (let suffix = 1; existsSync(target); suffix++) target = `${path}.${stamp}-${suffix}`;
  renameSync(path, target);
  return target;
}

/** Moves the file aside to `.1`, and each older one a number up. */
export function renameNumbered(path: string, kept: number): void {
  shiftNumbered(path, kept);
  renameSync(path, `${path}.1`);
}

/**
 * Copies the file to `.1` and makes it empty, as logrotate's copytruncate. Whoever writes between the two loses what is
 * written: the caller must not.
 */
export function copyTruncate(path: string, kept: number): void {
  shiftNumbered(path, kept);
  copyFileSync(path, `${path}.1`);
  truncateSync(path);
}

/** Whether the runtime that writes the format reopens its file before it goes on, or a while after the rename. */
export function reopensAtOnce(format: LogFormat): boolean {
  return format === 'docker';
}

function shiftNumbered(path: string, kept: number): void {
  rmSync(`${path}.${kept}`, { force: true });
  for (let index = kept - 1; index >= 1; index--) {
    if (existsSync(`${path}.${index}`)) renameSync(`${path}.${index}`, `${path}.${index + 1}`);
  }
}

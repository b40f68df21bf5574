/**
 * What an operator asks a running process of its store, under /sonde/api/v1/store. `sonde store` is its client where the
 * process holds the embedded engine's directory.
 *
 *   GET  status                       sizes, room, days left
 *   POST backups {"destination":"s3://bucket/monday","base":"s3://bucket/sunday"}  ->  202 {"id":"..."}
 *   GET  backups/ID                   how far it is
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { ConfigError, errorMessage, RefusedError } from '#model/errors.ts';
import type { BackupProgress } from '#store/operations/backup.ts';
import type { StoreStatus } from '#store/operations/store-status.ts';
import { failureStatus } from './failure-status.ts';

export interface StoreOperations {
  /** Where this process keeps its data, made absolute; '' for a server. */
  readonly dataPath: string;
  status(): Promise<StoreStatus>;
  /** Rejects with ConfigError where the destination is none or not allowed. */
  startBackup(destination: string, base: string | undefined): Promise<string>;
  backupProgress(id: string): Promise<BackupProgress | undefined>;
}

const base = '/sonde/api/v1/store';
const backupRequest = z.strictObject({
  destination: z.string().min(1).max(2000),
  base: z.string().min(1).max(2000).optional(),
});

export function registerStoreOperationsApi(app: FastifyInstance, operations: StoreOperations): void {
  app.setErrorHandler(replyError);
  app.get(`${base}/status`, async () => ({
    dataPath: operations.dataPath,
    status: await operations.status(),
  }));
  app.post(`${base}/backups`, async (request, reply) => {
    const parsed = backupRequest.safeParse(request.body);
    if (!parsed.success) throw new RefusedError(z.prettifyError(parsed.error));
    const id = await operations.startBackup(parsed.data.destination, parsed.data.base);
    return reply.code(202).send({ id });
  });
  app.get(`${base}/backups/:id`, async (request: FastifyRequest<{ Params: { id: string } }>) => {
    const progress = await operations.backupProgress(request.params.id);
    if (progress === undefined) throw new RefusedError('no such backup since the start of the engine', 404);
    return progress;
  });
}

function replyError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const status = error instanceof ConfigError ? 400 : failureStatus(error);
  if (status >= 500) request.log.error({ err: error }, 'a store operation failed');
  void reply.code(status).send({ error: errorMessage(error) });
}

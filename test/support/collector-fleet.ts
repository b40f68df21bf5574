/**
 * Collectors as processes of their own that share a consumer group and a store: `sonde collector`, a real Kafka, and
 * ClickHouse's HTTP interface in front of the embedded engine as one more process. For scale-out tests and benches.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import { createKafka, kafkaErrorType } from '#wire/kafka/client.ts';
import { silentKafkaLog } from './silent-kafka-log.ts';
import { type SondeProcess, startSonde } from './sonde-process.ts';

const root = join(import.meta.dirname, '../..');
const settleMsMax = 120_000;
const user = 'sonde';
const password = 'sonde';

export interface StoreProcess {
  readonly child: ChildProcess;
  readonly url: string;
  /** Returns the first row. */
  row(sql: string): Promise<Record<string, string | number>>;
}

/** Starts an empty store; must be killed. */
export async function startStoreProcess(directory: string): Promise<StoreProcess> {
  const child = spawn(
    process.execPath,
    ['test/support/clickhouse-http.ts', '--data', directory, '--port', '0'],
    { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  process.once('exit', () => child.kill('SIGKILL'));
  let text = '';
  for await (const chunk of child.stdout) {
    text += String(chunk);
    const url = /listening on (http:\/\/\S+)/.exec(text)?.[1];
    if (url !== undefined) return { child, url, row: (sql) => firstRow(url, sql) };
  }
  throw new Error(`the ClickHouse process ended: ${text}`);
}

async function firstRow(url: string, sql: string): Promise<Record<string, string | number>> {
  const answer = await fetch(`${url}/?default_format=JSONEachRow`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` },
    body: `${sql} FORMAT JSONEachRow`,
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`the store answered ${answer.status}: ${text}`);
  return JSON.parse(text.split('\n')[0]!) as Record<string, string | number>;
}

/** Environment of a process that is told neither to push its telemetry nor to use fixed ports. */
export const quietEnvironment = {
  SONDE_RECEIVE_HOST: '127.0.0.1',
  SONDE_RECEIVE_OTLP_HTTP_PORT: '0',
  SONDE_RECEIVE_OTLP_GRPC_PORT: '0',
  SONDE_TELEMETRY_IS_PUSHED: 'false',
} as const;

export interface FleetOptions {
  readonly count: number;
  readonly brokers: readonly string[];
  readonly storeUrl: string;
  readonly groupId: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** Resolves when all of them share the partitions of the group. Each must be ended. */
export async function startCollectors(options: FleetOptions): Promise<SondeProcess[]> {
  const { count, brokers, storeUrl, groupId } = options;
  const start = (): Promise<SondeProcess> =>
    startSonde(['collector', '--config', 'deploy/config/collector.yml'], {
      ...quietEnvironment,
      SONDE_TRANSPORT_KAFKA_BROKERS: JSON.stringify(brokers),
      SONDE_TRANSPORT_KAFKA_GROUP_ID: groupId,
      SONDE_STORE_URL: storeUrl,
      SONDE_STORE_PASSWORD: password,
      SONDE_STORE_RETENTION: '3650d',
      ...options.environment,
    });
  const fleet: SondeProcess[] = [];
  try {
    // The first makes the tables and the topics.
    fleet.push(await start());
    await untilSettled(brokers, groupId, 1);
    fleet.push(...(await Promise.all(Array.from({ length: count - 1 }, start))));
    await untilSettled(brokers, groupId, count);
    return fleet;
  } catch (error) {
    await Promise.all(fleet.map((each) => each.end('SIGKILL')));
    throw error;
  }
}

/** A broker that is new makes its topic of groups when it is first asked. */
function isCoordinatorStarting(error: unknown): boolean {
  if (error instanceof kafkajs.KafkaJSGroupCoordinatorNotFound) return true;
  return ['GROUP_LOAD_IN_PROGRESS', 'NOT_COORDINATOR_FOR_GROUP', 'GROUP_COORDINATOR_NOT_AVAILABLE'].includes(
    kafkaErrorType(error) ?? '',
  );
}

async function untilSettled(brokers: readonly string[], groupId: string, count: number): Promise<void> {
  const admin = createKafka({ brokers, clientId: 'fleet', log: silentKafkaLog }).admin();
  await admin.connect();
  const deadlineMs = Date.now() + settleMsMax;
  try {
    for (;;) {
      const group = await admin.describeGroups([groupId]).catch((error: unknown) => {
        if (isCoordinatorStarting(error) && Date.now() < deadlineMs) return undefined;
        throw error;
      });
      const { state, members } = group?.groups[0] ?? { state: '', members: [] };
      const isShared = members.every(({ memberAssignment }) => memberAssignment.length > 0);
      if (state === 'Stable' && members.length === count && isShared) return;
      if (Date.now() > deadlineMs)
        throw new Error(`the group is ${state} with ${members.length} of ${count} members`);
      await delay(100);
    }
  } finally {
    await admin.disconnect();
  }
}

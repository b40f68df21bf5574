/**
 * Goal: what could not be decoded can be found, understood and sent again, and lands once however often it is.
 * Method: a real Kafka with an authorizer, the real consumer and store, and the command's functions on them; collectors that
 * die between letter and commit, topics that are missing, denied or too small.
 */
import { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } from 'kafkajs';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createDirectSink } from '#collector/direct-sink.ts';
import type { KafkaConsumer } from '#collector/kafka/consumer.ts';
import { loadConfig } from '#model/config/load.ts';
import { eventually } from '#test/support/eventually.ts';
import { exporterMessages } from '#test/support/foreign-messages.ts';
import { describeKafka } from '#test/support/kafka.ts';
import { KafkaToStore } from '#test/support/kafka-to-store.ts';
import { silentKafkaLog } from '#test/support/silent-kafka-log.ts';
import { runSonde } from '#test/support/sonde-process.ts';
import { startReceivers } from '#wire/receive/receivers.ts';
import { configTables } from '../../role/config-tables.ts';
import {
  type LetterContext,
  listLetters,
  replayLetters,
  showLetter,
} from '../../role/dead-letters-command.ts';
import type { LetterFlags } from '../../role/letter-flags.ts';

// Each test has a store, topics and several connections of its own.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

/** A log record that ends in the middle of its body. */
const damaged = Buffer.from('0a0e120c120a09000000000000000012ff', 'hex');
const anybody = {
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'allow.everyone.if.no.acl.found': 'true',
};

interface Listed {
  readonly letter: string;
  readonly tenant: string;
  readonly reason: string;
  readonly replays: number;
  readonly replayedTo?: string;
  readonly source: { readonly offset: number };
  readonly isValueDropped: boolean;
}

describeKafka(
  'sonde dead-letters',
  (kafka) => {
    let world: KafkaToStore;
    beforeEach(async () => {
      world = await KafkaToStore.open(kafka().brokers);
    });
    afterEach(() => world.close());

    const context = (): LetterContext & { text: string; told: string; bytes: Buffer } => {
      const { config } = loadConfig(configTables, {
        environment: {},
        commandLine: new Map<string, unknown>([
          ['transport.kind', 'kafka'],
          ['transport.kafka.brokers', world.brokers],
          ['transport.kafka.topics.dead_letters', world.deadLetterTopic],
          ...Object.entries(world.topics).map(
            ([signal, topic]) => [`transport.kafka.topics.${signal}`, topic] as const,
          ),
        ]),
      });
      const said = {
        config,
        text: '',
        told: '',
        bytes: Buffer.alloc(0),
        print: (text: string) => {
          said.text += text;
        },
        tell: (text: string) => {
          said.told += text;
        },
        printBytes: (bytes: Uint8Array) => {
          said.bytes = Buffer.from(bytes);
        },
      };
      return said;
    };
    const list = async (flags: LetterFlags = {}): Promise<Listed[]> => {
      const said = context();
      await listLetters(said, { ...flags, json: true });
      return said.text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Listed);
    };
    const show = async (letter: string, flags: LetterFlags = {}): Promise<string> => {
      const said = context();
      await showLetter(said, letter, flags);
      return said.text;
    };
    const replay = async (letters: string[], flags: LetterFlags = {}): Promise<string> => {
      const said = context();
      const code = await replayLetters(said, letters, flags);
      return `${said.text}${said.told}exit ${code}`;
    };
    const drain = async (over: Parameters<KafkaToStore['consume']>[0] = {}): Promise<KafkaConsumer> => {
      const consumer = await world.consume(over);
      await world.drained(consumer);
      return consumer;
    };
    const denyWrites = (topic: string) =>
      world.admin((admin) =>
        admin.createAcls({
          acl: [
            {
              resourceType: AclResourceTypes.TOPIC,
              resourceName: topic,
              resourcePatternType: ResourcePatternTypes.LITERAL,
              principal: 'User:ANONYMOUS',
              host: '*',
              operation: AclOperationTypes.WRITE,
              permissionType: AclPermissionTypes.DENY,
            },
          ],
        }),
      );

    test('lists letters newest first, page by page, by tenant, reason, topic, time and range', async () => {
      const lines = [0, 1, 2, 3, 4].map((number) => ({
        value: `line ${number}`,
        headers: { tenant: `team-${number % 2}` },
      }));
      await world.send(world.topics.logs, lines);
      await world.send(world.topics.traces, [{ value: damaged }]);
      await drain();
      const all = await list();
      expect(
        all.filter(({ tenant }) => tenant.startsWith('team')).map(({ source }) => source.offset),
      ).toEqual([4, 3, 2, 1, 0]);
      expect(all).toHaveLength(6);
      const paged: Listed[] = [];
      for (let before: string | undefined; paged.length < 6; before = paged.at(-1)!.letter) {
        const page = await list({ limit: '2', ...(before === undefined ? {} : { before }) });
        expect(page).toHaveLength(2);
        paged.push(...page);
      }
      expect(paged).toEqual(all);
      const offsets = async (flags: LetterFlags) => (await list(flags)).map(({ source }) => source.offset);
      expect(await offsets({ tenant: 'team-1' })).toEqual([3, 1]);
      expect(await offsets({ reason: 'TEXT IS NOT' })).toEqual([4, 3, 2, 1, 0]);
      expect(await offsets({ sourceTopic: world.topics.traces })).toEqual([0]);
      expect(await offsets({ until: '1h' })).toEqual([]);
      expect(await list({ since: '1h' })).toEqual(all);
      const { letter } = all.find(({ source, tenant }) => source.offset === 3 && tenant === 'team-1')!;
      const [partition, offset] = letter.split('/');
      expect(await offsets({ range: `${letter}-${offset}` })).toEqual([3]);
      expect(
        await offsets({ range: `${partition}/${Number(offset) + 100}-${Number(offset) + 200}` }),
      ).toEqual([]);
      const said = context();
      await listLetters(said, { limit: '2' });
      expect(said.text).toMatch(/^LETTER +WRITTEN +TENANT +FROM +BYTES +STATE +REASON\n/);
      expect(said.told).toMatch(/^there are more: --before \d\/\d\n$/);
    });

    test('as a process it reads its flags, writes bodies as they are, and ends by itself', async () => {
      await world.send(world.topics.logs, [{ value: 'line 1' }, { value: 'line 2' }]);
      await drain();
      const letters = (await list()).map(({ letter }) => letter);
      const flags = ['--brokers', world.brokers.join(','), '--topic', world.deadLetterTopic];
      const replayed = await runSonde(['dead-letters', 'replay', ...letters, ...flags]);
      expect(replayed).toMatchObject({ code: 0, output: expect.stringContaining('2 replayed, 0 not\n') });
      const listed = await runSonde(['dead-letters', 'list', '--replayed', '--json', ...flags]);
      expect(listed.output.split('\n').filter((line) => line.startsWith('{'))).toHaveLength(2);
      const raw = await runSonde(['dead-letters', 'show', letters[1]!, '--raw', ...flags]);
      expect(raw).toEqual({ code: 0, output: 'line 1' });
    });

    test('a collector that dies between letter and commit writes it again, and it is listed once', async () => {
      await world.send(world.topics.logs, [{ value: 'one' }, { value: 'two' }]);
      const held = Promise.withResolvers<void>();
      const dying = await world.consume({
        limits: { runAgeMsMax: 20, fetchWaitMsMax: 50, sessionTimeoutMs: 6000, drainMs: 100 },
        failpoint: (step) => (step === 'committing' ? held.promise : undefined),
      });
      await eventually(() => dying.status().counters.dead_letters === 2);
      await dying.stop();
      const survivor = await drain();
      expect(survivor.status().counters).toMatchObject({ repeated_runs: 1, dead_letters: 2 });
      const ends = await world.admin((admin) => admin.fetchTopicOffsets(world.deadLetterTopic));
      expect(ends.reduce((sum, { offset }) => sum + Number(offset), 0)).toBe(4);
      const letters = await list();
      expect(letters.map(({ source }) => source.offset)).toEqual([1, 0]);
      // Either copy may be shown and sent; a mark is of both.
      await replay([letters[0]!.letter]);
      expect((await list()).filter(({ replayedTo }) => replayedTo !== undefined)).toHaveLength(1);
    });

    test('shows headers, the fields that can be read, where they end, and the bytes there', async () => {
      const headers = { reason: 'mine', 'x-own': 'a\u001b[2Jb', 'content-type': 'application/x-protobuf' };
      await world.send(world.topics.logs, [{ key: 'k-1', value: damaged, headers }]);
      await drain();
      const [letter] = await list();
      const text = await show(letter!.letter);
      expect(text).toContain(`reason     ${letter!.reason}`);
      expect(text).toContain(`from       ${world.topics.logs}/0/0`);
      expect(text).toContain('key        k-1');
      expect(text).toContain('  reason: mine\n');
      expect(text).toContain('  x-own: a\\u{1b}[2Jb\n');
      expect(text).toContain('000000  resourceLogs (1), 14 bytes\n000002    scopeLogs (2), 12 bytes\n');
      expect(text).toMatch(/\n000010 {2}! .* at byte 16\nbytes around 16\n000000 {2}0a 0e 12 0c/);
      const said = context();
      await showLetter(said, letter!.letter, { raw: true });
      expect(said.bytes).toEqual(damaged);
      await expect(show('9/0')).rejects.toThrow('has 2 partitions');
      await expect(show('0/999')).rejects.toThrow('there is no letter 0/999');
    });

    test('a letter that is replayed twice lands once, is marked, and is not taken again by a filter', async () => {
      await world.send(world.topics.logs, [
        { value: 'plain', headers: { tenant: 'a', 'x-own': '1' }, key: 'k' },
      ]);
      const refusing = await drain();
      await refusing.stop();
      expect(await world.count('logs')).toBe(0);
      expect(await replay([], { dryRun: true, all: true })).toMatch(
        /^would replay \d\/0 to .*_logs\/0: text is not read.*\n1 letters would be replayed\nexit 0$/,
      );
      const taking = await drain({ takesPlainLogs: true });
      expect(await replay([], { pending: true })).toMatch(/1 replayed, 0 not\nexit 0$/);
      expect(await replay([], { all: true })).toBe(
        '1 letters were replayed before: --again sends them once more\n0 replayed, 0 not\nexit 0',
      );
      expect(await replay([], { again: true, tenant: 'a' })).toMatch(/1 replayed, 0 not\nexit 0$/);
      await world.drained(taking);
      expect(taking.status().counters).toMatchObject({ messages: 2, accepted: 2, dead_letters: 0 });
      expect(await world.count('logs', "tenant = 'a' AND body = 'plain'")).toBe(1);
      expect(await list({ pending: true })).toEqual([]);
      expect(await list({ replayed: true })).toMatchObject([{ replayedTo: `${world.topics.logs}/0/1` }]);
      // The copy has what the message had.
      const [letter] = await list();
      await taking.stop();
      const text = await show(letter!.letter);
      expect(text).toContain('  x-own: 1\n');
    });

    test('what fails again is a new letter that says how often, and filters leave it alone in the end', async () => {
      await world.send(world.topics.traces, [{ value: damaged, headers: { 'batch-id': 'b-1' } }]);
      const consumer = await drain();
      for (let round = 1; round <= 3; round++) {
        expect(await replay([], { pending: true })).toMatch(/1 replayed, 0 not\nexit 0$/);
        await eventually(() => consumer.status().counters.dead_letters === round + 1);
      }
      expect(await replay([], { pending: true })).toMatch(
        /^1 letters failed after 3 replays or more.*\n0 replayed/,
      );
      const letters = await list();
      expect(letters.map(({ replays }) => replays)).toEqual([3, 2, 1, 0]);
      const text = await show(letters[0]!.letter);
      expect(text).toContain(`  sonde-origin: ${world.topics.traces}/0/0\n`);
      expect(text).toContain('  batch-id: b-1\n');
      await expect(replay([])).rejects.toThrow('say which letters');
      // By its address it goes all the same.
      expect(await replay([letters[0]!.letter])).toMatch(/1 replayed/);
    });

    test('a receiver takes letters too, once, and says at once what it does not take', async () => {
      const receivers = await startReceivers({
        sink: createDirectSink(world.pipeline),
        host: '127.0.0.1',
        httpPort: 0,
        grpcPort: 0,
        bodyBytesMax: 1_000_000,
        inflightBytesMax: 10_000_000,
        log: pino({ level: 'silent' }),
        telemetry: { serveMetrics: (_request, response) => void response.end('# EOF\n') },
        unready: async () => [],
      });
      const json = exporterMessages().find(({ encoding }) => encoding === 'otlp_json')!;
      await world.send(world.topics.logs, [
        // Their tenant is impossible; the letter is of the default one.
        { value: json.value, headers: { tenant: '../etc' } },
        { value: damaged, headers: { 'content-type': 'application/x-protobuf' } },
        // Nobody says what it is: no receiver need be asked.
        { value: damaged },
      ]);
      await drain();
      const to = receivers.httpUrl;
      const report = await replay([], { all: true, to });
      expect(report).toMatch(new RegExp(`replayed \\d/\\d to ${to}/v1/logs\n`));
      expect(report).toMatch(/not replayed \d\/\d: .* answers 400: /);
      expect(report).toMatch(
        /not replayed \d\/\d: what begins like OTLP protobuf and is damaged \(.* at byte 16\)/,
      );
      expect(report).toMatch(/\n1 replayed, 2 not\nexit 1$/);
      await replay([], { again: true, all: true, to });
      expect(await world.count('logs', "tenant = 'default'")).toBe(3);
      await receivers.close(1000);
      await expect(replay([], { again: true, all: true, to })).rejects.toThrow('nobody answers at');
    });

    test('a body that is too large for the topic of letters is read where it came from', async () => {
      await world.admin((admin) =>
        admin.createTopics({
          // kafkajs fails where a leader is not there at once.
          waitForLeaders: false,
          topics: [
            {
              topic: world.deadLetterTopic,
              numPartitions: 1,
              configEntries: [{ name: 'max.message.bytes', value: '3000' }],
            },
          ],
        }),
      );
      const { randomBytes } = await import('node:crypto');
      const line = randomBytes(4000).toString('base64');
      await world.send(world.topics.logs, [
        { value: line, headers: { tenant: 'a' } },
        { value: 'short', key: randomBytes(4000).toString('base64'), headers: { tenant: 'a' } },
      ]);
      const refusing = await drain();
      expect(refusing.status().counters).toMatchObject({ dead_letters: 2, dead_letters_lost: 0 });
      await refusing.stop();
      const letters = await list();
      expect(letters.map(({ isValueDropped }) => isValueDropped)).toEqual([true, true]);
      // With one partition its offset is enough.
      expect(await show('0')).toContain(`body       ${line.length} bytes, from the source topic`);
      const taking = await drain({ takesPlainLogs: true });
      expect(await replay(['0'])).toMatch(/1 replayed, 0 not/);
      await world.drained(taking);
      expect(await world.count('logs', `body = '${line}'`)).toBe(1);
      await world.admin(async (admin) => {
        await admin.fetchTopicOffsets(world.topics.logs);
        await admin.deleteTopicRecords({
          topic: world.topics.logs,
          partitions: [{ partition: 0, offset: '2' }],
        });
      });
      expect(await show('0')).toContain('are gone from the source');
      expect(await replay(['0'])).toMatch(
        /^not replayed 0\/0: its body is not kept anywhere.*\n0 replayed, 1 not\nexit 1$/,
      );
    });

    test('letters whose source is gone are named, and the others go on', async () => {
      await world.send(world.topics.traces, [{ value: damaged }], 1);
      await world.send(world.topics.metrics, [{ value: damaged }]);
      await world.send(world.topics.logs, [{ value: damaged }]);
      const consumer = await drain();
      await consumer.stop();
      await world.admin(async (admin) => {
        await admin.deleteTopics({ topics: [world.topics.traces, world.topics.metrics] });
        await eventually(async () => !(await admin.listTopics()).includes(world.topics.traces));
        await admin.createTopics({
          waitForLeaders: false,
          topics: [{ topic: world.topics.traces, numPartitions: 1 }],
        });
        await eventually(async () => (await admin.fetchTopicOffsets(world.topics.traces)).length === 1);
      });
      const report = await replay([], { all: true });
      expect(report).toContain(`: ${world.topics.traces}/1 is not there any more\n`);
      expect(report).toContain(`: ${world.topics.metrics}/0 is not there any more\n`);
      expect(report).toMatch(new RegExp(`replayed \\d/\\d to ${world.topics.logs}/0/1\n`));
      expect(report).toMatch(/1 replayed, 2 not\nexit 1$/);
    });

    test('a topic that denies letters is waited for and said, then its letters are counted as lost', async ({
      skip,
    }) => {
      if (!kafka().isOwned) skip('KAFKA_BROKERS may have no authorizer');
      const consumer = await drain({ deadLetterWaitMs: 3000 });
      await denyWrites(world.deadLetterTopic);
      const errors: object[] = [];
      const log = silentKafkaLog as { error: (fields: object, message: string) => void };
      const quiet = log.error;
      log.error = (fields) => void errors.push(fields);
      const [good] = exporterMessages();
      await world.send(world.topics.logs, [{ value: 'line' }, { value: good!.value }]);
      await eventually(
        () => /dead letters cannot be written to .*: Not authorized/.test(consumer.status().state),
        () => consumer.status(),
      );
      await eventually(() => consumer.status().counters.dead_letters_lost === 1);
      log.error = quiet;
      expect(errors).toContainEqual(
        expect.objectContaining({ topic: world.topics.logs, partition: 0, offset: 0 }),
      );
      await eventually(() =>
        consumer.status().partitions.some(({ committedOffset }) => committedOffset === 2),
      );
      expect(await world.count('logs')).toBe(3);
      expect(consumer.status().state).toContain('dead letters cannot be written');
      expect(consumer.status().counters.dead_letters).toBe(0);
    });

    test('a topic of letters that is missing is made, or waited for where that is not allowed', async () => {
      const making = await drain();
      await world.admin((admin) => admin.deleteTopics({ topics: [world.deadLetterTopic] }));
      await world.send(world.topics.logs, [{ value: 'line' }]);
      await eventually(
        () => making.status().counters.dead_letters === 1,
        () => making.status(),
      );
      await making.stop();
      await world.admin((admin) => admin.deleteTopics({ topics: [world.deadLetterTopic] }));
      const waiting = await world.consume({ createTopics: undefined });
      await world.send(world.topics.logs, [{ value: 'line' }]);
      await eventually(
        () => waiting.status().state.includes(world.deadLetterTopic),
        () => waiting.status(),
      );
      await expect(list()).rejects.toThrow(`there is no topic ${world.deadLetterTopic}`);
      await world.admin((admin) =>
        admin.createTopics({
          waitForLeaders: false,
          topics: [{ topic: world.deadLetterTopic, numPartitions: 1 }],
        }),
      );
      await eventually(
        () => waiting.status().counters.dead_letters === 1,
        () => waiting.status(),
      );
      expect(await list()).toHaveLength(1);
    });
  },
  anybody,
);

test('without Kafka the command says that there are no letters, and what happens instead', async () => {
  const { code, output } = await runSonde(['dead-letters', 'list']);
  expect(output).toContain('there are no dead letters without Kafka');
  expect(code).toBe(2);
});

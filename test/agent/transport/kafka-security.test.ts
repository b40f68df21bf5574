/**
 * Goal: the producer gets into a Kafka that asks who is there, by every way that it asks, and says so where it may not.
 * Method: one real broker with a listener for each way (test/support/kafka-listeners.ts).
 */
import { copyFileSync, mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createKafkaTransport, type KafkaTransport } from '#agent/transport/kafka.ts';
import { hasOpenssl, makeAuthority, makeCertificate } from '#test/support/certificates.ts';
import { eventually } from '#test/support/eventually.ts';
import { kafkaMissing } from '#test/support/kafka-installation.ts';
import {
  type SecuredKafka,
  sessionMsMax,
  startSecuredKafka,
  unsecuredToken,
} from '#test/support/kafka-listeners.ts';
import { silentKafkaLog } from '#test/support/silent-kafka-log.ts';
import type { KafkaLog } from '#wire/kafka/client.ts';
import { type KafkaSecurityOptions, kafkaSecurity } from '#wire/kafka/security.ts';
import { envelope } from './conformance.case.ts';
import { readTopic, topicsOf, withAdmin } from './kafka-reading.ts';

const noSecurity: KafkaSecurityOptions = {
  'kafka.tls.is_used': false,
  'kafka.tls.ca_path': '',
  'kafka.tls.cert_path': '',
  'kafka.tls.key_path': '',
  'kafka.sasl.mechanism': 'none',
  'kafka.sasl.username': '',
  'kafka.sasl.password': '',
  'kafka.sasl.password_path': '',
  'kafka.sasl.oauth_url': '',
  'kafka.sasl.oauth_scope': '',
};
const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs;

// A Kafka of KAFKA_BROKERS has no such listeners.
const canRun =
  (kafkaMissing() === undefined && !process.env.KAFKA_BROKERS && hasOpenssl()) || !!process.env.CI;
if (!canRun) console.warn('SKIPPED: Kafka with authentication: it takes a Kafka of our own, and openssl');

describe.skipIf(!canRun)('a Kafka that asks who is there', () => {
  let secured: SecuredKafka;
  beforeAll(async () => {
    const started = await startSecuredKafka();
    if (started === undefined) throw new Error('BUG: a test ran that should have been skipped');
    secured = started;
  }, 180_000);
  afterAll(() => secured?.stop());

  function open(
    name: string,
    listener: keyof SecuredKafka['listeners'],
    security: Partial<KafkaSecurityOptions>,
    log: KafkaLog = silentKafkaLog,
  ): KafkaTransport {
    return createKafkaTransport({
      brokers: [secured.listeners[listener]],
      clientId: 'test-agent',
      topics: topicsOf(name),
      createTopics: { partitions: 1, replicationFactor: 1 },
      deniedBackoff: { firstMs: 200, maxMs: 1000 },
      log,
      ...kafkaSecurity({ ...noSecurity, ...security }, log),
    });
  }

  async function expectToLand(name: string, transport: KafkaTransport): Promise<void> {
    const sent = envelope();
    await transport.send(sent);
    await transport.close();
    const arrived = await readTopic([secured.listeners.plaintext], topicsOf(name).logs);
    expect(arrived.map(({ batchId }) => batchId)).toEqual([sent.batchId]);
  }

  const alice = { 'kafka.sasl.username': 'alice', 'kafka.sasl.password': 'alice-secret' };

  test.each(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const)('SASL %s lands what is sent', (mechanism) =>
    expectToLand(
      `sasl-${mechanism}`,
      open(`sasl-${mechanism}`, 'sasl', { 'kafka.sasl.mechanism': mechanism, ...alice }),
    ),
  );

  test.each(['PLAIN', 'SCRAM-SHA-256'] as const)(
    'a wrong password of SASL %s is an error of the log and the state, and goes on when it is put right',
    async (mechanism) => {
      const path = join(mkdtempSync(join(tmpdir(), 'sonde-password-')), 'password');
      writeFileSync(path, 'wrong\n');
      const errors: string[] = [];
      const log = { ...silentKafkaLog, error: (_: object, message: string) => void errors.push(message) };
      const name = `wrong-${mechanism}`;
      const transport = open(
        name,
        'sasl',
        {
          'kafka.sasl.mechanism': mechanism,
          'kafka.sasl.username': 'alice',
          'kafka.sasl.password_path': path,
        },
        log,
      );
      const sent = expectToLand(name, transport);
      await eventually(
        () => /SASL .* failed.*since .*next try/i.test(transport.state()),
        () => transport.state(),
      );
      expect(errors.join()).toMatch(/SASL .* failed/i);
      writeFileSync(path, 'alice-secret\n');
      await sent;
    },
  );

  test('OAUTHBEARER fetches a token with the client credentials, and another one before a session ends', async () => {
    const requests: { authorization: string | undefined; body: string }[] = [];
    const endpoint = createServer((request, response) => {
      let body = '';
      request.on('data', (data: Buffer) => {
        body += data;
      });
      request.on('end', () => {
        requests.push({ authorization: request.headers.authorization, body });
        const lifetimeMs = 4000;
        response.writeHead(200, { 'content-type': 'application/json' }).end(
          JSON.stringify({
            access_token: unsecuredToken('alice', lifetimeMs + sessionMsMax),
            expires_in: 4,
          }),
        );
      });
    });
    await new Promise<void>((resolve) => endpoint.listen(0, '127.0.0.1', resolve));
    const name = 'oauth';
    const transport = open(name, 'sasl', {
      'kafka.sasl.mechanism': 'OAUTHBEARER',
      ...alice,
      'kafka.sasl.oauth_url': `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}/token`,
      'kafka.sasl.oauth_scope': 'kafka',
    });
    try {
      const sent = [];
      // A session that is over would be closed by the broker, and the producer would have to begin anew.
      while (requests.length < 3) {
        sent.push(envelope());
        await transport.send(sent.at(-1)!);
        await eventually(() => transport.state() === 'ok');
        await delay(300);
      }
      expect(requests[0]!.authorization).toBe(
        `Basic ${Buffer.from('alice:alice-secret').toString('base64')}`,
      );
      expect(requests[0]!.body).toBe('grant_type=client_credentials&scope=kafka');
      expect(transport.counters.total('retries')).toBe(0);
      const arrived = await readTopic([secured.listeners.plaintext], topicsOf(name).logs);
      expect(arrived.map(({ batchId }) => batchId)).toEqual(sent.map(({ batchId }) => batchId));
    } finally {
      await transport.close();
      endpoint.closeAllConnections();
      endpoint.close();
    }
  });

  test('a token endpoint that refuses is named in the state, with what it says', async () => {
    const endpoint = createServer((_, response) => response.writeHead(401).end('{"error":"invalid_client"}'));
    await new Promise<void>((resolve) => endpoint.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}/token`;
    const transport = open('oauth-refused', 'sasl', {
      'kafka.sasl.mechanism': 'OAUTHBEARER',
      ...alice,
      'kafka.sasl.oauth_url': url,
    });
    const send = transport.send(envelope()).catch(() => 'closed');
    await eventually(
      () => transport.state().includes(`no token from ${url}: it answered 401: {"error":"invalid_client"}`),
      () => transport.state(),
    );
    await transport.close();
    expect(await send).toBe('closed');
    endpoint.close();
  });

  test('TLS with the authority of the brokers lands what is sent', () =>
    expectToLand(
      'tls',
      open('tls', 'tls', {
        'kafka.tls.is_used': true,
        'kafka.tls.ca_path': secured.certificates.authority.certPath,
      }),
    ));

  test('brokers whose authority is not known are not trusted', async () => {
    const transport = open('tls-unknown', 'tls', { 'kafka.tls.is_used': true });
    const send = transport.send(envelope()).catch(() => 'closed');
    await eventually(
      () => /certificate/.test(transport.state()),
      () => transport.state(),
    );
    await transport.close();
    expect(await send).toBe('closed');
  });

  test('mTLS takes a renewed certificate from its files without a restart', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sonde-mtls-'));
    const [certPath, keyPath] = [join(directory, 'tls.crt'), join(directory, 'tls.key')];
    const stranger = makeCertificate(
      directory,
      makeAuthority(directory, 'other'),
      'stranger',
      'DNS:localhost',
    );
    copyFileSync(stranger.certPath, certPath);
    copyFileSync(stranger.keyPath, keyPath);
    const transport = open('mtls', 'mtls', {
      'kafka.tls.is_used': true,
      'kafka.tls.ca_path': secured.certificates.authority.certPath,
      'kafka.tls.cert_path': certPath,
      'kafka.tls.key_path': keyPath,
    });
    const landed = expectToLand('mtls', transport);
    await eventually(() => transport.state() !== 'ok');
    // Between the two copies certificate and key do not belong together: the last good ones stay in force.
    copyFileSync(secured.certificates.client.certPath, certPath);
    await delay(500);
    copyFileSync(secured.certificates.client.keyPath, keyPath);
    await landed;
  });

  test('a user who may not create topics is told the topic and the command, and goes on when there is one', async () => {
    const name = 'denied';
    const { logs } = topicsOf(name);
    const bob = { 'kafka.sasl.username': 'bob', 'kafka.sasl.password': 'bob-secret' };
    const errors: string[] = [];
    const log = { ...silentKafkaLog, error: (_: object, message: string) => void errors.push(message) };
    const transport = open(name, 'sasl', { 'kafka.sasl.mechanism': 'PLAIN', ...bob }, log);
    const landed = expectToLand(name, transport);
    const server = secured.listeners.sasl;
    await eventually(
      () => errors.some((text) => text.includes(`--allow-principal User:<name> --producer --topic ${logs}`)),
      () => errors,
    );
    expect(transport.state()).toMatch(/not allowed to write to topic denied-/);
    await withAdmin([secured.listeners.plaintext], async (admin) => {
      await admin.createAcls({ acl: [allow(logs, AclOperationTypes.DESCRIBE)] });
      const command = `kafka-topics.sh --bootstrap-server ${server} --create --topic ${logs} --partitions 1 --replication-factor 1`;
      await eventually(
        () =>
          errors.some((text) => text.startsWith(`kafka: topic ${logs} is missing`) && text.includes(command)),
        () => errors,
      );
      await admin.createTopics({ topics: [{ topic: logs, numPartitions: 1 }] });
      await admin.createAcls({ acl: [allow(logs, AclOperationTypes.WRITE)] });
    });
    await landed;
  });

  function allow(resourceName: string, operation: number) {
    return {
      resourceName,
      operation,
      resourceType: AclResourceTypes.TOPIC,
      resourcePatternType: ResourcePatternTypes.LITERAL,
      permissionType: AclPermissionTypes.ALLOW,
      principal: 'User:bob',
      host: '*',
    };
  }
});

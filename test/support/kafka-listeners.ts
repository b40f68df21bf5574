/**
 * A real Apache Kafka that asks who is there: one broker with a listener for each way to prove it, and access control.
 *
 *   plaintext   the super user, for the test's own needs
 *   sasl        SASL over plain TCP: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER (unsecured JWS tokens)
 *   tls, mtls   TLS; mtls asks for a certificate of the authority
 *
 * Users alice (may do all) and bob (may do nothing that no ACL allows) have the password `<name>-secret`.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeCertificates, type TestCertificates } from './certificates.ts';
import { freePorts, startKafka, type TestKafka } from './kafka.ts';
import { runKafkaTool } from './kafka-installation.ts';

export interface SecuredKafka {
  readonly kafka: TestKafka;
  /** host:port of each listener. */
  readonly listeners: Readonly<Record<'plaintext' | 'sasl' | 'tls' | 'mtls', string>>;
  readonly certificates: TestCertificates;
  stop(): Promise<void>;
}

/** Sessions of OAUTHBEARER are this short at most: kafkajs renews them ten seconds before they end. */
export const sessionMsMax = 11_000;

/** Undefined, with the reason printed, where no Kafka can be had. */
export async function startSecuredKafka(): Promise<SecuredKafka | undefined> {
  const directory = mkdtempSync(join(tmpdir(), 'sonde-kafka-tls-'));
  const certificates = makeCertificates();
  const [saslPort, tlsPort, mtlsPort] = await freePorts(3);
  const keyStore = join(directory, 'server.pem');
  const { server, authority } = certificates;
  writeFileSync(keyStore, readFileSync(server.keyPath, 'utf8') + readFileSync(server.certPath, 'utf8'));
  const tls = (name: string): Record<string, string> => ({
    [`listener.name.${name}.ssl.keystore.type`]: 'PEM',
    [`listener.name.${name}.ssl.keystore.location`]: keyStore,
    [`listener.name.${name}.ssl.truststore.type`]: 'PEM',
    [`listener.name.${name}.ssl.truststore.location`]: authority.certPath,
  });
  const login = (module: string, more = '') => `org.apache.kafka.common.security.${module} required${more};`;
  const kafka = await startKafka({
    listeners:
      'PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controllerPort},' +
      `SASL://127.0.0.1:${saslPort},TLS://127.0.0.1:${tlsPort},MTLS://127.0.0.1:${mtlsPort}`,
    'listener.security.protocol.map':
      'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT,TLS:SSL,MTLS:SSL',
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
    'listener.name.sasl.plain.sasl.jaas.config': login(
      'plain.PlainLoginModule',
      ' user_alice="alice-secret" user_bob="bob-secret"',
    ),
    'listener.name.sasl.scram-sha-256.sasl.jaas.config': login('scram.ScramLoginModule'),
    'listener.name.sasl.scram-sha-512.sasl.jaas.config': login('scram.ScramLoginModule'),
    'listener.name.sasl.oauthbearer.sasl.jaas.config': login('oauthbearer.OAuthBearerLoginModule'),
    'listener.name.sasl.oauthbearer.connections.max.reauth.ms': String(sessionMsMax),
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:ANONYMOUS;User:alice;User:CN=client',
    ...tls('tls'),
    ...tls('mtls'),
    'listener.name.mtls.ssl.client.auth': 'required',
  });
  if (kafka === undefined) return undefined;
  // A user's credentials of two mechanisms cannot be altered in one request.
  await Promise.all(
    ['SCRAM-SHA-256', 'SCRAM-SHA-512'].map((mechanism) =>
      runKafkaTool('kafka.admin.ConfigCommand', [
        ...[
          '--bootstrap-server',
          kafka.brokers[0]!,
          '--alter',
          '--entity-type',
          'users',
          '--entity-name',
          'alice',
        ],
        ...['--add-config', `${mechanism}=[iterations=4096,password=alice-secret]`],
      ]),
    ),
  );
  return {
    kafka,
    certificates,
    listeners: {
      plaintext: kafka.brokers[0]!,
      sasl: `127.0.0.1:${saslPort}`,
      tls: `127.0.0.1:${tlsPort}`,
      mtls: `127.0.0.1:${mtlsPort}`,
    },
    async stop() {
      await kafka.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** An unsecured JWS (RFC 7515, appendix A.5), as a broker without a validator of its own takes it. */
export function unsecuredToken(subject: string, lifetimeMs: number): string {
  const part = (content: object) => Buffer.from(JSON.stringify(content)).toString('base64url');
  const seconds = Math.floor(Date.now() / 1000);
  const claims = { sub: subject, iat: seconds, exp: seconds + Math.floor(lifetimeMs / 1000) };
  return `${part({ alg: 'none' })}.${part(claims)}.`;
}

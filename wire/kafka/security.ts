/** How a Kafka client proves who it is, from the options of the section `transport`: TLS and SASL. */
import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import type { SASLOptions } from 'kafkajs';
import { ConfigError, errorMessage } from '#model/errors.ts';
import type { KafkaLog } from './client.ts';
import { oauthTokens } from './oauth-token.ts';
import { TlsFiles } from './tls-files.ts';

export interface KafkaSecurityOptions {
  readonly 'kafka.tls.is_used': boolean;
  readonly 'kafka.tls.ca_path': string;
  readonly 'kafka.tls.cert_path': string;
  readonly 'kafka.tls.key_path': string;
  readonly 'kafka.sasl.mechanism': SaslMechanism;
  readonly 'kafka.sasl.username': string;
  readonly 'kafka.sasl.password': string;
  readonly 'kafka.sasl.password_path': string;
  readonly 'kafka.sasl.oauth_url': string;
  readonly 'kafka.sasl.oauth_scope': string;
}

export const saslMechanisms = ['none', 'PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'] as const;
export type SaslMechanism = (typeof saslMechanisms)[number];

export interface KafkaSecurity {
  /** Asked for each connection. */
  readonly tls?: () => ConnectionOptions;
  readonly sasl?: SASLOptions;
}

/** Throws ConfigError on options that contradict each other. Files are read when a connection needs them. */
export function kafkaSecurity(options: KafkaSecurityOptions, log: KafkaLog): KafkaSecurity {
  const sasl = saslOptions(options);
  if (!options['kafka.tls.is_used']) {
    const used = (['ca_path', 'cert_path', 'key_path'] as const).find(
      (key) => options[`kafka.tls.${key}`] !== '',
    );
    if (used !== undefined) throw new ConfigError(`kafka.tls.${used} is set, but kafka.tls.is_used is false`);
    return sasl === undefined ? {} : { sasl };
  }
  const files = new TlsFiles(
    {
      caPath: options['kafka.tls.ca_path'],
      certPath: options['kafka.tls.cert_path'],
      keyPath: options['kafka.tls.key_path'],
    },
    log,
  );
  const tls = (): ConnectionOptions => files.current();
  return sasl === undefined ? { tls } : { tls, sasl };
}

function saslOptions(options: KafkaSecurityOptions): SASLOptions | undefined {
  const mechanism = options['kafka.sasl.mechanism'];
  if (mechanism === 'none') return undefined;
  const username = options['kafka.sasl.username'];
  if (username === '') {
    throw new ConfigError(`kafka.sasl.mechanism is ${mechanism}, which needs kafka.sasl.username`);
  }
  const password = passwordSource(options);
  if (mechanism === 'OAUTHBEARER') {
    const url = options['kafka.sasl.oauth_url'];
    if (url === '')
      throw new ConfigError('kafka.sasl.mechanism is OAUTHBEARER, which needs kafka.sasl.oauth_url');
    const scope = options['kafka.sasl.oauth_scope'];
    const oauthBearerProvider = oauthTokens({ url, clientId: username, clientSecret: password, scope });
    return { mechanism: 'oauthbearer', oauthBearerProvider };
  }
  const names = {
    PLAIN: 'plain',
    'SCRAM-SHA-256': 'scram-sha-256',
    'SCRAM-SHA-512': 'scram-sha-512',
  } as const;
  return {
    mechanism: names[mechanism] as 'plain',
    username,
    // kafkajs asks at each authentication.
    get password() {
      return password();
    },
  };
}

function passwordSource(options: KafkaSecurityOptions): () => string {
  const text = options['kafka.sasl.password'];
  const path = options['kafka.sasl.password_path'];
  if ((text === '') === (path === '')) {
    throw new ConfigError('set one of kafka.sasl.password and kafka.sasl.password_path');
  }
  if (text !== '') return () => text;
  return () => {
    try {
      return readFileSync(path, 'utf8').trim();
    } catch (error) {
      throw new ConfigError(`kafka.sasl.password_path: ${errorMessage(error)}`, { cause: error });
    }
  };
}

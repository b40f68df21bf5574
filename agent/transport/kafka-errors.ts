/** What a broker's answer, or the lack of one, means for a batch. Kafka protocol guide, "Error codes". */
import { errorMessage } from '#model/errors.ts';
import { kafkaErrorType } from '#wire/kafka/client.ts';
import { tlsFilesFault } from '#wire/kafka/tls-files.ts';

/**
 * landed: the broker has these records already. too-large: smaller batches may go. refused: it never takes these bytes.
 * moved: it does not know the partition, and has taken nothing. lost: it knows this producer no more, or another by its
 * id. denied: a person must change something; asked again slowly. retry: all else.
 */
export type Verdict = 'landed' | 'too-large' | 'refused' | 'moved' | 'lost' | 'denied' | 'retry';

const byType: Readonly<Record<string, Verdict>> = {
  DUPLICATE_SEQUENCE_NUMBER: 'landed',
  MESSAGE_TOO_LARGE: 'too-large',
  RECORD_LIST_TOO_LARGE: 'too-large',
  INVALID_RECORD: 'refused',
  INVALID_TIMESTAMP: 'refused',
  UNKNOWN_TOPIC_OR_PARTITION: 'moved',
  OUT_OF_ORDER_SEQUENCE_NUMBER: 'lost',
  UNKNOWN_PRODUCER_ID: 'lost',
  INVALID_PRODUCER_EPOCH: 'lost',
  INVALID_PRODUCER_ID_MAPPING: 'lost',
  TOPIC_AUTHORIZATION_FAILED: 'denied',
  CLUSTER_AUTHORIZATION_FAILED: 'denied',
  SASL_AUTHENTICATION_FAILED: 'denied',
  UNSUPPORTED_SASL_MECHANISM: 'denied',
  ILLEGAL_SASL_STATE: 'denied',
  INVALID_TOPIC_EXCEPTION: 'denied',
  UNSUPPORTED_COMPRESSION_TYPE: 'denied',
  POLICY_VIOLATION: 'denied',
};

/** The broker may have written the batch all the same. Other answers mean that it has not. */
const openAnswers: ReadonlySet<string> = new Set([
  'REQUEST_TIMED_OUT',
  'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
  'UNKNOWN',
]);

/** Total: what is not known is 'retry'. */
export function verdictOf(error: unknown): Verdict {
  const known = byType[kafkaErrorType(error) ?? ''];
  if (known !== undefined) return known;
  return causesOf(error).some(isIdentityError) ? 'denied' : 'retry';
}

/** Whether the batch may be in the log although the attempt failed. */
export function mayHaveLanded(error: unknown): boolean {
  const type = kafkaErrorType(error);
  return type === undefined || openAnswers.has(type);
}

/** A short name for the error's kind: as a label of a metric. */
export function errorLabel(error: unknown): string {
  const type = kafkaErrorType(error);
  if (type !== undefined) return type;
  for (const cause of causesOf(error)) {
    const { code } = cause as { code?: unknown };
    if (typeof code === 'string') return code;
  }
  const last = causesOf(error).at(-1);
  return last?.name ?? 'unknown';
}

/** The error's words, and what an administrator runs where something is not allowed. */
export function explainKafkaError(error: unknown, topic: string, brokers: readonly string[]): string {
  const message = errorMessage(error);
  // Only the broker's own answer: what wraps one has words of its own.
  const { type } = error as { type?: unknown };
  if (type === 'TOPIC_AUTHORIZATION_FAILED' || type === 'CLUSTER_AUTHORIZATION_FAILED') {
    return (
      `${message}: not allowed to write to topic ${topic}: an administrator allows it with ` +
      `kafka-acls.sh --bootstrap-server ${brokers.join(',')} --add --allow-principal User:<name> --producer --topic ${topic}`
    );
  }
  if (type === 'UNSUPPORTED_COMPRESSION_TYPE') {
    return `${message}: set kafka.compression to gzip, or use Apache Kafka 2.1 or newer`;
  }
  return message;
}

const identityCodes = /^(CERT_|ERR_SSL_|ERR_TLS_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|SONDE_CONFIG)/;

function isIdentityError(error: Error): boolean {
  const { code } = error as { code?: unknown };
  return (
    error.name === 'KafkaJSSASLAuthenticationError' ||
    (typeof code === 'string' && identityCodes.test(code)) ||
    // kafkajs keeps the message of what a socket factory throws, and nothing else.
    error.message.includes(tlsFilesFault)
  );
}

function causesOf(error: unknown): readonly Error[] {
  const causes: Error[] = [];
  for (let cause = error; cause instanceof Error && causes.length < 5; cause = cause.cause)
    causes.push(cause);
  return causes;
}

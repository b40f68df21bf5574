/** A log that says nothing: tests look at states and counters. */
import type { KafkaLog } from '#wire/kafka/client.ts';

const silent = () => undefined;
export const silentKafkaLog: KafkaLog = { debug: silent, info: silent, warn: silent, error: silent };

/**
 * Goal: the distributed shape works as the files in deploy/ configure it: file -> agent -> Kafka -> collector -> store ->
 * query, each a process of its own.
 * Method: a real Apache Kafka; ClickHouse's HTTP interface in front of the embedded engine, as one more process; the
 * roles started with deploy/config/*.yml, with only addresses overridden, as the compose file does.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningKafka, startKafka } from '#test/support/kafka.ts';
import { type SondeProcess, startSonde } from '#test/support/sonde-process.ts';

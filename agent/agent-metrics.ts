/** The agent's own numbers as OpenTelemetry instruments: what was read, what is confirmed, what waits, what is lost. */
import { metrics, type ObservableResult } from '@opentelemetry/api';
import type { Transport } from '#wire/envelope.ts';
import type { LogAgent, LogAgentCounters } from './logs/log-agent.ts';

/** Counters of the log agent that are totals since the start, and what they count. */
const totals: Readonly<
  Partial<Record<keyof LogAgentCounters, readonly [name: string, description: string]>>
> = {
  bytesRead: ['sonde.agent.logs.bytes_read', 'Bytes read from log files.'],
  lines: ['sonde.agent.logs.lines', 'Lines read from log files.'],
  records: ['sonde.agent.logs.records', 'Records made of lines.'],
  recordsDelivered: ['sonde.agent.logs.records_delivered', 'Records that the next station has confirmed.'],
  recordsRejected: ['sonde.agent.logs.records_rejected', 'Records that the next station refused for good.'],
  recordsDropped: [
    'sonde.agent.logs.records_dropped',
    'Records that processors dropped when they were read, as they were told to.',
  ],
  recordsRepaired: ['sonde.agent.logs.records_repaired', 'Records with bytes that were not UTF-8.'],
  linesMalformed: [
    'sonde.agent.logs.lines_malformed',
    "Lines without their file's format, shipped as they are.",
  ],
  batchesConfirmed: ['sonde.agent.logs.batches_confirmed', 'Batches that the next station has confirmed.'],
  batchesResent: ['sonde.agent.logs.batches_resent', 'Batches of an earlier run that were sent again.'],
  checkpointFailures: ['sonde.agent.logs.checkpoint_failures', 'Checkpoints that could not be written.'],
  filesFound: ['sonde.agent.logs.files_found', 'Log files that were found.'],
  filesRotated: ['sonde.agent.logs.files_rotated', 'Log files that were rotated away.'],
  filesTruncated: ['sonde.agent.logs.files_truncated', 'Log files that became shorter.'],
};

/** Starts observing; call it once, after the SDK has started. */
export function observeAgent(logs: LogAgent, transport: Transport): void {
  const meter = metrics.getMeter('sonde');
  for (const [key, [name, description]] of Object.entries(totals)) {
    meter
      .createObservableCounter(name, { description })
      .addCallback((result) => result.observe(logs.counters()[key as keyof LogAgentCounters]));
  }
  meter
    .createObservableGauge('sonde.agent.logs.lag_bytes', {
      description: 'Bytes in log files that are not confirmed yet.',
    })
    .addCallback((result) => result.observe(logs.status().lagBytes));
  meter
    .createObservableGauge('sonde.agent.logs.files', { description: 'Log files that are followed now.' })
    .addCallback((result) => result.observe(logs.status().files.length));
  meter
    .createObservableCounter('sonde.agent.logs.lost_records', {
      description: 'Records that were lost, by reason.',
    })
    .addCallback((result) => observeLosses(logs, result, 'records'));
  meter
    .createObservableCounter('sonde.agent.logs.lost_bytes', {
      description: 'Bytes of log files that were lost, by reason.',
    })
    .addCallback((result) => observeLosses(logs, result, 'bytes'));
  meter
    .createObservableGauge('sonde.agent.transport.is_ok', {
      description: '1 while the transport does not wait, else 0.',
    })
    .addCallback((result) => result.observe(transport.state() === 'ok' ? 1 : 0));
}

/** Losses of many files share a reason: one series a reason, however many files there are. */
function observeLosses(logs: LogAgent, result: ObservableResult, what: 'records' | 'bytes'): void {
  const byReason = new Map<string, number>();
  for (const loss of logs.status().lost)
    byReason.set(loss.reason, (byReason.get(loss.reason) ?? 0) + loss[what]);
  for (const [reason, count] of byReason) result.observe(count, { reason });
}

/**
 * The parts of one syslog message: positions in the message's bytes, so that nothing is copied before it is encoded.
 *
 *   '<34>1 2026-10-11T22:14:15.003Z mymachine su - ID47 - ...'  ->  facility 4, severity 2, host 'mymachine', app 'su'
 */
import type { UnixNano } from '../unix-nano.ts';

/**
 * Why a message is kept as its raw line. no_priority: it does not begin with '<0>' to '<191>'; no_time: what follows the
 * priority is no time that either RFC knows; header: RFC 5424's fields are not there; structured_data: it does not end.
 */
export type SyslogProblem = '' | 'no_priority' | 'no_time' | 'header' | 'structured_data';

/** [from, to) of the message's bytes; empty where the part is absent or NILVALUE ('-'). */
export interface ByteSpan {
  from: number;
  to: number;
}

/** One object is filled for message after message: whoever needs a part later must copy it. */
export interface SyslogMessage {
  problem: SyslogProblem;
  /** 0 to 23, or -1 where there is no priority. */
  facility: number;
  /** 0 (emergency) to 7 (debug), or -1 where there is no priority. */
  severity: number;
  /** Both halves are 0 where the message has no time. */
  readonly time: UnixNano;
  readonly host: ByteSpan;
  readonly app: ByteSpan;
  readonly processId: ByteSpan;
  readonly messageId: ByteSpan;
  /** With its brackets. */
  readonly structuredData: ByteSpan;
  readonly body: ByteSpan;
}

export function createSyslogMessage(): SyslogMessage {
  const span = (): ByteSpan => ({ from: 0, to: 0 });
  return {
    problem: '',
    facility: -1,
    severity: -1,
    time: { low: 0, high: 0 },
    host: span(),
    app: span(),
    processId: span(),
    messageId: span(),
    structuredData: span(),
    body: span(),
  };
}

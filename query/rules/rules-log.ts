/** The part of a pino logger that rules and scaling write to. */
import type { Logger } from 'pino';

export type RulesLog = Pick<Logger, 'info' | 'warn' | 'error'>;

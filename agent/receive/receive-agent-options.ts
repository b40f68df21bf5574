/** What is pushed to the agent in protocols that no collector needs to know. */
import { syslogOptions } from './syslog-options.ts';

export const receiveAgentOptions = {
  ...syslogOptions,
};

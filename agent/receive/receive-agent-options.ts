/** What is pushed to the agent in protocols that no collector needs to know. */
import { fluentOptions } from './fluent-options.ts';
import { statsdOptions } from './statsd-options.ts';
import { syslogOptions } from './syslog-options.ts';

export const receiveAgentOptions = {
  ...syslogOptions,
  ...fluentOptions,
  ...statsdOptions,
};

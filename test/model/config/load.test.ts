/**
 * Goal: a person who mistypes the configuration reads what is wrong, where, and what was probably meant.
 * Method: small option tables; each row is an input and the values or the exact problems that come out.
 */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { type ConfigInput, loadConfig } from '#model/config/load.ts';
import { durationMs, option, portSchema, secretOption } from '#model/config/option.ts';
import { renderConfig } from '#model/config/print.ts';

const tables = {
  api: { port: option(portSchema, 4319, 'Port.') },
  agent: {
    'logs.globs': option(z.array(z.string()), ['/a'], 'Files.'),
    node: option(z.string(), '', 'Name.'),
  },
  store: { password: secretOption(z.string(), '', 'Password.') },
};

function load(input: {
  file?: string;
  environment?: Record<string, string>;
  commandLine?: [string, unknown][];
}) {
  const full: ConfigInput = {
    ...(input.file === undefined ? {} : { file: { path: 'sonde.yml', text: input.file } }),
    environment: input.environment ?? {},
    commandLine: new Map(input.commandLine ?? []),
  };
  return loadConfig(tables, full);
}

function problems(input: Parameters<typeof load>[0]): string[] {
  try {
    load(input);
  } catch (error) {
    return (error as Error).message.split('\n');
  }
  return [];
}

test('defaults, file, environment and command line override each other in that order', () => {
  const loaded = load({
    file: 'api:\n  port: 1\nagent:\n  node: from-file\n  logs:\n    globs: [/x, /y]\n',
    environment: { SONDE_API_PORT: '2', SONDE_AGENT_NODE: 'from-env', HOME: '/root' },
    commandLine: [['api.port', 3]],
  });
  expect(loaded.config.api.port).toBe(3);
  expect(loaded.config.agent.node).toBe('from-env');
  expect(loaded.config.agent['logs.globs']).toEqual(['/x', '/y']);
  expect(loaded.origins.get('api.port')).toBe('command line');
  expect(loaded.origins.get('agent.node')).toBe('environment SONDE_AGENT_NODE');
  expect(loaded.origins.get('agent.logs.globs')).toBe('sonde.yml:6');
  expect(loaded.origins.get('store.password')).toBe('default');
});

test.each([
  {
    name: 'an unknown key names its line and the nearest key',
    input: { file: 'agent:\n  node: a\n  log:\n    globs: [/x]\n' },
    says: ['sonde.yml:3: unknown key "agent.log", did you mean "agent.node"?'],
  },
  {
    name: 'a key one level off is found by its last word',
    input: { file: 'agent:\n  globs: [/x]\n' },
    says: ['sonde.yml:2: unknown key "agent.globs", did you mean "agent.logs.globs"?'],
  },
  {
    name: 'a wrong type says what was expected and what came',
    input: { file: 'api:\n  port: many\n' },
    says: ['sonde.yml:2: api.port: Invalid input: expected number, received string, got "many"'],
  },
  {
    name: 'all mistakes are reported at once',
    input: { file: 'api:\n  prot: 1\n', environment: { SONDE_API_PORTS: '1' } },
    says: [
      'sonde.yml:2: unknown key "api.prot", did you mean "api.port"?',
      'environment: unknown variable SONDE_API_PORTS, did you mean "SONDE_API_PORT"?',
    ],
  },
  {
    name: 'a secret of the wrong type is not repeated',
    input: { file: 'store:\n  password: [hunter2]\n' },
    says: ['sonde.yml:2: store.password: Invalid input: expected string, received array'],
  },
  {
    name: 'a file that is a list says what belongs there',
    input: { file: '- a\n' },
    says: ['sonde.yml:1: expected sections such as agent:, store: or api:'],
  },
])('$name', ({ input, says }) => expect(problems(input)).toEqual(says));

test('broken YAML names the line', () => {
  expect(problems({ file: 'api:\n  port: [1\n' })[0]).toMatch(/^sonde\.yml: .*line 3/);
});

test('a list in the environment is written as YAML', () => {
  const loaded = load({ environment: { SONDE_AGENT_LOGS_GLOBS: '[/a/*.log, /b]' } });
  expect(loaded.config.agent['logs.globs']).toEqual(['/a/*.log', '/b']);
});

test('print-config shows values with their origin and hides secrets', () => {
  const text = renderConfig(tables, load({ file: 'store:\n  password: hunter2\n' }));
  expect(text).toContain('api.port: 4319  # default\n');
  expect(text).toContain('store.password: ***  # sonde.yml:2\n');
  expect(text).not.toContain('hunter2');
});

test.each([
  ['0', 0],
  ['30d', 30 * 86_400_000],
  ['1h30m', 5_400_000],
  ['250ms', 250],
])('a duration of %s is %d ms', (text, milliseconds) => expect(durationMs(text)).toBe(milliseconds));

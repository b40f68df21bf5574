/**
 * Goal: what one container asks for wrongly is a problem of its own, and of nobody else.
 * Method: a table of containers, and the sources that it comes to.
 */
import { expect, test } from 'vitest';
import type { ContainerDirectory, ContainerFacts } from '#agent/containers/container-facts.ts';
import { LossLedger } from '#agent/logs/loss-ledger.ts';
import { ContainerOrigins } from '#agent/logs/resource/container-origins.ts';

const silent = { info: () => {}, warn: () => {}, error: () => {} };

function container(path: string): ContainerFacts {
  return {
    attributes: { 'container.name': 'web' },
    rules: {
      isCollected: true,
      store: '',
      files: [{ store: 'access', path }],
      multiline: 'auto',
      parse: '',
      rateLimitBytes: 0,
      problems: [],
    },
    mounts: [{ source: '/srv/logs', target: '/logs' }],
    rootPath: undefined,
  };
}

function directoryOf(containers: ReadonlyMap<string, ContainerFacts>): ContainerDirectory {
  return {
    find: () => undefined,
    all: () => containers,
    onChange: () => {},
    isReady: true,
    problem: () => '',
    stop: async () => {},
  };
}

test.each(['/logs/[a.log', '/logs/{a,b.log', '/logs/a**.log', '/logs/[z-a].log'])(
  'the path %s is a problem of its container, and files of others are found',
  (path) => {
    const ledger = new LossLedger(silent);
    const directory = directoryOf(
      new Map([
        ['1', container(path)],
        ['2', container('/logs/*.log')],
      ]),
    );
    const rules = { multiline: 'auto', rateLimitBytes: 0 };
    const origins = new ContainerOrigins({ directory, rules, ledger, hostPath: '/' });
    // Whoever asks first: a changed revision makes the list anew.
    origins.revision++;
    expect(origins.sources().map(({ glob }) => glob.pattern)).toEqual(['/srv/logs/*.log']);
    expect(ledger.problems()).toEqual([
      { path: 'container web', message: expect.stringContaining('log glob "/srv/logs/') },
    ]);
  },
);

/** Goal: what the API shows of the configuration holds no secret. Method: a configuration full of them. */
import { expect, test } from 'vitest';
import type { SondeConfig } from '../../role/config-tables.ts';
import { shownConfig } from '../../role/server-facts.ts';

test('secrets are hidden wherever they stand', () => {
  const config = {
    store: { kind: 'server', password: 'hunter2', url: 'http://me:hunter2@store:8123/' },
    agent: {
      'scrape.configs': [{ job_name: 'a', basic_auth: { password: 'hunter2' } }],
      'logs.processors': [{ kind: 'x', headers: { Authorization: 'hunter2' }, api_token: 'hunter2' }],
    },
    rules: { webhooks: ['https://hunter2@hooks/x'] },
  } as unknown as SondeConfig;
  const shown = shownConfig(config);
  expect(JSON.stringify(shown)).not.toContain('hunter2');
  expect(shown).toMatchObject({
    store: { kind: 'server', password: '<secret>', url: 'http://<secret>@store:8123/' },
    agent: {
      'scrape.configs': '<secret>',
      'logs.processors': [{ kind: 'x', headers: { Authorization: '<secret>' }, api_token: '<secret>' }],
    },
  });
});

/** Renders configuration for people: `--print-config`, and the reference page docs/configuration.md. */
import { stringify } from 'yaml';
import type { ConfigTables, LoadedConfig } from './load.ts';
import { environmentName } from './option.ts';

/** One line an option: `store.path: ./data  # default`. Secrets that are set print as `***`. */
export function renderConfig(tables: ConfigTables, loaded: LoadedConfig<ConfigTables>): string {
  const lines: string[] = [];
  for (const [section, table] of Object.entries(tables)) {
    for (const [key, option] of Object.entries(table)) {
      const value = loaded.config[section]?.[key];
      const shown = option.isSecret && value !== '' ? '***' : renderValue(value);
      lines.push(`${section}.${key}: ${shown}  # ${loaded.origins.get(`${section}.${key}`)}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** The reference page: a table per section. */
export function renderReference(tables: ConfigTables): string {
  const parts = [
    '# Configuration',
    '',
    'One YAML file with a section per part; `sonde up --config FILE` reads it. Environment variables override the',
    'file, command-line options override both. `--print-config` shows each value and where it came from.',
    'This page is made from the option tables: `vitest run test/model/config -u` writes it anew.',
  ];
  for (const [section, table] of Object.entries(tables)) {
    parts.push(
      '',
      `## \`${section}\``,
      '',
      '| key | default | environment | what it does |',
      '|---|---|---|---|',
    );
    for (const [key, option] of Object.entries(table)) {
      const shown = option.isSecret ? '(secret)' : `\`${renderValue(option.default)}\``;
      parts.push(`| \`${key}\` | ${shown} | \`${environmentName(section, key)}\` | ${option.why} |`);
    }
  }
  return `${parts.join('\n')}\n`;
}

function renderValue(value: unknown): string {
  return stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trim();
}

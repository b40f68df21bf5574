/**
 * /etc/os-release of the host: which distribution it is.
 *
 *   ID=debian                          ->  node_os_info{id="debian",pretty_name="Debian GNU/Linux 12",...} 1
 *   PRETTY_NAME="Debian GNU/Linux 12"      node_os_version{id="debian",...} 12
 *   VERSION_ID="12"
 *
 * See os-release(5).
 */
import { join } from 'node:path';
import { type HostCollector, NoDataError } from '../host-collector.ts';
import { gauge, type HostSample, sampleOf } from '../host-sample.ts';

const info = gauge('node_os_info', 'What /etc/os-release says of the distribution.');
const version = gauge('node_os_version', 'Major and minor version of the distribution.');
const infoFields =
  'build_id id id_like image_id image_version name pretty_name variant variant_id version version_codename version_id'.split(
    ' ',
  );
const versionFields = ['id', 'id_like', 'name'];

export const osCollector: HostCollector = {
  name: 'os',
  isDefault: true,
  reads: '/etc/os-release or /usr/lib/os-release below host.root_path',
  makes: 'node_os_info, node_os_version',
  create: (files) => () => {
    const text =
      files.text(join(files.paths.rootPath, 'etc/os-release')) ??
      files.text(join(files.paths.rootPath, 'usr/lib/os-release'));
    if (text === undefined) throw new NoDataError('the host has no os-release');
    return parseOsRelease(text);
  },
};

export function parseOsRelease(text: string): HostSample[] {
  const fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^([A-Z_]+)=(.*)$/.exec(line.trim());
    if (match) fields.set(match[1]!.toLowerCase(), unquote(match[2]!));
  }
  if (fields.size === 0) return [];
  const labels = (names: readonly string[]): Record<string, string> =>
    Object.fromEntries(names.map((name) => [name, fields.get(name) ?? '']));
  const number = /^\d+(?:\.\d+)?/.exec(fields.get('version_id') ?? '')?.[0];
  return [
    ...sampleOf(info, 1, labels(infoFields)),
    ...sampleOf(version, Number(number ?? Number.NaN), labels(versionFields)),
  ];
}

/** The values are written as a shell reads them: quotes around, and a backslash before special characters. */
function unquote(value: string): string {
  const quoted = /^"(.*)"$/.exec(value) ?? /^'(.*)'$/.exec(value);
  return (quoted?.[1] ?? value).replace(/\\(["$`\\])/g, '$1');
}

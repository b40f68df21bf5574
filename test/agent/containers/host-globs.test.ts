/**
 * Goal: files inside of a container are found on its host, and no path or link of the container leads anywhere else.
 * Method: a table of mounts; then real directories with real symbolic links.
 */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { dockerRules } from '#agent/containers/container-rules.ts';
import { hostGlobs } from '#agent/containers/host-globs.ts';
import { statInside } from '#agent/containers/inside-file.ts';
import { DirectoryListings } from '#agent/logs/tail/directory-listings.ts';
import { compileGlob, expandGlob } from '#agent/logs/tail/file-glob.ts';

const mounts = [
  { source: '/srv/logs', target: '/var/log' },
  { source: '/srv/nginx[1]', target: '/var/log/nginx/' },
  { source: '/srv/one.log', target: '/data/app.log' },
  { source: '', target: '/claim' },
];
const merged = '/var/lib/docker/overlay2/aa/merged';

test.each([
  ['a mount', '/var/log/a.log', merged, '/host/srv/logs/a.log', '/host/srv/logs'],
  ['the longest mount', '/var/log/nginx/*.log', merged, '/host/srv/nginx[[]1]/*.log', '/host/srv/nginx[1]'],
  [
    'a name that merely begins alike',
    '/var/logs/a.log',
    merged,
    `/host${merged}/var/logs/a.log`,
    `/host${merged}`,
  ],
  ['a file that is mounted', '/data/app.log', merged, '/host/srv/one.log', '/host/srv/one.log'],
  ['slashes and dots', '//var/./log//a.log', merged, '/host/srv/logs/a.log', '/host/srv/logs'],
  [
    "a volume that only the process's root shows",
    '/claim/a.log',
    '/proc/7/root',
    '/host/proc/7/root/claim/a.log',
    '/host/proc/7/root',
  ],
])('%s', (_name, path, rootPath, glob, base) => {
  const { rules } = dockerRules({ 'sonde.logs.s': path }, {});
  expect(hostGlobs({ rules, mounts, rootPath }, '/host')).toEqual({
    globs: [{ glob, store: 's', base }],
    problems: [],
  });
});

test.each([
  [
    '/claim/a.log',
    merged,
    '/claim/a.log: where the volume at /claim is on the host is not known: use an emptyDir or a hostPath',
  ],
  [
    '/opt/a.log',
    undefined,
    "/opt/a.log: the container's own file system is not known on the host: mount a volume there",
  ],
])('%s is nowhere on the host', (path, rootPath, problem) => {
  const { rules } = dockerRules({ 'sonde.logs.s': path }, {});
  expect(hostGlobs({ rules, mounts, rootPath }, '/')).toEqual({ globs: [], problems: [problem] });
});

test('files are found by the globs, and links out of the mount are told from files in it', async () => {
  const host = await mkdtemp(join(tmpdir(), 'sonde-host-'));
  onTestFinished(() => rm(host, { recursive: true }));
  const logs = join(host, 'srv/nginx[1]');
  await mkdir(join(logs, 'sub'), { recursive: true });
  await mkdir(join(host, 'srv/nginx[1]-other'));
  await writeFile(join(logs, 'access.log'), 'GET /\n');
  await writeFile(join(logs, 'sub/deep.log'), 'deep\n');
  await writeFile(join(host, 'shadow'), 'root:x\n');
  await writeFile(join(host, 'srv/nginx[1]-other/x.log'), 'x\n');
  await symlink('sub/deep.log', join(logs, 'inside.log'));
  await symlink(join(host, 'shadow'), join(logs, 'outside.log'));
  await symlink('../../shadow', join(logs, 'relative.log'));
  await symlink('../nginx[1]-other/x.log', join(logs, 'neighbour.log'));
  await symlink('/dev/stdout', join(logs, 'stdout.log'));
  await symlink('nowhere', join(logs, 'dangling.log'));
  await symlink(host, join(logs, 'out'));
  await symlink(join(logs, 'sub/deep.log'), join(logs, 'absolute.log'));
  await symlink('sub/../sub/./deep.log', join(logs, 'winding.log'));
  await symlink('loop.log', join(logs, 'loop.log'));

  const { rules } = dockerRules(
    { 'sonde.logs.access': '/var/log/nginx/*.log', 'sonde.logs.out': '/var/log/nginx/out/*' },
    {},
  );
  const { globs } = hostGlobs({ rules, mounts, rootPath: undefined }, host);
  const found: string[] = [];
  for (const { glob, base } of globs) {
    const { found: listed } = await expandGlob(compileGlob(glob), new DirectoryListings());
    for (const { path } of listed) {
      if ((await statInside(base, path)) !== undefined) found.push(path.slice(logs.length));
    }
  }
  expect(found.sort()).toEqual(['/absolute.log', '/access.log', '/inside.log', '/winding.log']);
});

test('the root of a process is a base, though its path leads nowhere', async () => {
  const base = `/proc/${process.pid}/root`;
  const directory = await mkdtemp(join(tmpdir(), 'sonde-root-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  await writeFile(join(directory, 'a.log'), 'a\n');
  await symlink('/etc/passwd', join(directory, 'passwd.log'));
  await symlink('a.log', join(directory, 'b.log'));
  const inside = async (name: string) => (await statInside(base, join(base, directory, name))) !== undefined;
  expect([await inside('a.log'), await inside('b.log'), await inside('passwd.log')]).toEqual([
    true,
    true,
    false,
  ]);
  expect(await statInside(base, join(directory, 'a.log')), 'a path that is not below it').toBeUndefined();
});

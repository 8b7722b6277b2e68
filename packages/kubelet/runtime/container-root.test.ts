import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { PodConfigError } from '../plan/errors.ts';
import { ContainerRoot } from './container-root.ts';
import { formatFstab } from './fstab.ts';
import { type RootLayout, submountsBelow } from './root-layout.ts';

/** A container's root over a small made-up host: /etc overlaid, /data bound, /run its own. */
function withRoot(use: (root: ContainerRoot, dir: string, host: string) => void): void {
  const base = mkdtempSync(join(tmpdir(), 'kubelet-root-'));
  const host = join(base, 'host');
  mkdirSync(join(host, 'etc/app'), { recursive: true });
  mkdirSync(join(host, 'var'));
  mkdirSync(join(host, 'data/in'), { recursive: true });
  writeFileSync(join(host, 'etc/resolv.conf'), 'host');
  symlinkSync('/run', join(host, 'var/run'));
  symlinkSync('loop', join(host, 'etc/loop'));
  const layout: RootLayout = {
    entries: [
      ...['proc', 'sys', 'dev', 'run', 'tmp'].map((name) => ({ name, kind: 'own' }) as const),
      { name: 'etc', kind: 'overlay', lower: join(host, 'etc') },
      { name: 'var', kind: 'overlay', lower: join(host, 'var') },
      { name: 'data', kind: 'bind', lower: join(host, 'data') },
    ],
    overlayOptions: ',userxattr',
    submounts: [],
    freshProc: true,
    freshSys: true,
  };
  try {
    const dir = join(base, 'container');
    use(new ContainerRoot(dir, layout), dir, host);
  } finally {
    rmSync(base, { recursive: true });
  }
}

test('ContainerRoot: writes above the host’s directory, never into it', () =>
  withRoot((root, dir, host) => {
    root.writeFile('/etc/resolv.conf', 'mine');
    assert.equal(readFileSync(join(dir, 'fs/etc/upper/resolv.conf'), 'utf8'), 'mine');
    assert.equal(readFileSync(join(host, 'etc/resolv.conf'), 'utf8'), 'host');
  }));

test('ContainerRoot: follows links as they are inside the container', () =>
  withRoot((root, dir) => {
    assert.equal(root.resolve('/var/run/secrets'), '/run/secrets');
    assert.equal(root.resolve('/../etc/./app'), '/etc/app');
    root.writeFile('/var/run/secrets/token', 't');
    assert.ok(existsSync(join(dir, 'rootfs/run/secrets/token')));
    assert.throws(() => root.resolve('/etc/loop'), PodConfigError);
  }));

test('ContainerRoot: a file in a bound directory of the host is mounted over the one there', () =>
  withRoot((root, _dir, host) => {
    writeFileSync(join(host, 'data/file'), 'host');
    root.writeFile('/data/file', 'mine');
    assert.match(root.fstab, /file-0 \S+\/rootfs\/data\/file none bind/);
    assert.throws(() => root.bind(host, '/data/none'), /cannot mount at \/data\/none/);
  }));

test('ContainerRoot: a volume inside a volume gets its place in the outer one', () =>
  withRoot((root, dir) => {
    const [outer = '', inner = ''] = ['outer', 'inner'].map((name) => {
      mkdirSync(join(dir, name));
      return join(dir, name);
    });
    root.bindVolume(outer, '', '/srv/data', false);
    root.bindVolume(inner, '', '/srv/data/sub', true);
    assert.ok(existsSync(join(outer, 'sub')));
    assert.match(root.fstab, /\/srv\/data\/sub none rbind,ro/);
    assert.throws(() => root.bindVolume(outer, '', '/', false), PodConfigError);
  }));

test('formatFstab: blanks and backslashes are octal', () =>
  assert.equal(
    formatFstab([{ source: '/a b', target: '/c\\d', type: 'none', options: 'bind' }]),
    '/a\\040b /c\\134d none bind 0 0\n',
  ));

test('submountsBelow: the topmost mounts inside overlaid directories', () => {
  const line = (point: string) => `36 35 98:0 / ${point} rw - ext4 /dev/x rw`;
  const points = ['/', '/home', '/home/a', '/home/a/b', '/etc/hosts', '/srv/with\\040blank', '/proc/x'];
  assert.deepEqual(submountsBelow(points.map(line).join('\n'), new Set(['home', 'etc', 'srv'])), [
    '/home/a',
    '/srv/with blank',
  ]);
});

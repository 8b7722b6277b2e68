import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { InvalidInputError, systemClock } from '#runtime';
import { joinCommand } from './join-command.ts';
import { cgroupsAt } from './open-cgroups.ts';
import { findPlace } from './place.ts';
import { removeCgroups } from './remove-cgroups.ts';

/** Plain files in the shape of a version 2 hierarchy: what is written where. */
function tree() {
  const mount = mkdtempSync(join(tmpdir(), 'cgroup-'));
  const put = (path: string, controllers: string) => {
    mkdirSync(join(mount, path), { recursive: true });
    writeFileSync(join(mount, path, 'cgroup.procs'), '');
    writeFileSync(join(mount, path, 'cgroup.subtree_control'), controllers);
  };
  put('.', 'cpu memory pids\n');
  put('app.slice', 'memory pids\n');
  put('app.slice/shell.scope', '\n');
  return {
    mount,
    own: join(mount, 'app.slice/shell.scope'),
    put,
    [Symbol.dispose]: () => rmSync(mount, { recursive: true }),
  };
}

test('findPlace: the nearest group above that hands down the most controllers', () => {
  using files = tree();
  const place = findPlace({ version: 2, mount: files.mount, own: files.own });
  assert.deepEqual([...place.parents.values()], [files.mount, files.mount, files.mount]);
  files.put('app.slice', 'cpu memory pids\n');
  const near = findPlace({ version: 2, mount: files.mount, own: files.own });
  assert.equal(near.parents.get('cpu'), join(files.mount, 'app.slice'));
  assert.equal(near.obstacle, undefined);
});

test('findPlace: says which controllers are missing, and why there are none', () => {
  using files = tree();
  files.put('.', 'memory\n');
  files.put('app.slice', 'memory\n');
  const place = findPlace({ version: 2, mount: files.mount, own: files.own });
  assert.match(place.obstacle ?? '', /do not offer cpu and pids here/);
  files.put('.', '\n');
  files.put('app.slice', '\n');
  assert.match(
    findPlace({ version: 2, mount: files.mount, own: files.own }).obstacle ?? '',
    /systemd-run --user/,
  );
  assert.match(findPlace({ version: undefined }).obstacle ?? '', /no control groups/);
});

test('cgroupsAt: hands controllers down to the group that has the limits', () => {
  using files = tree();
  const place = findPlace({ version: 2, mount: files.mount, own: files.own });
  const cgroups = cgroupsAt(place, 'podway-test', systemClock);
  const group = cgroups.create(['pod', 'main.0'], { memoryLimit: 4096, cpuLimitMilli: 500 });
  const read = (path: string) => readFileSync(join(files.mount, 'podway-test', path), 'utf8');
  assert.equal(read('cgroup.subtree_control'), '+cpu +memory +pids');
  assert.equal(read('pod/cgroup.subtree_control'), '+cpu +memory +pids');
  assert.equal(read('pod/main.0/memory.max'), '4096');
  assert.equal(read('pod/main.0/cpu.max'), '50000 100000');
  assert.deepEqual(group.joinFiles, [join(files.mount, 'podway-test/pod/main.0/cgroup.procs')]);
  assert.equal(group.oomKills(), 0);
  writeFileSync(join(files.mount, 'podway-test/pod/main.0/memory.events'), 'oom 3\noom_kill 2\n');
  assert.equal(group.oomKills(), 2);
});

test('cgroupsAt: refuses names that lead elsewhere, or that are not its own', () => {
  using files = tree();
  const place = findPlace({ version: 2, mount: files.mount, own: files.own });
  assert.throws(() => cgroupsAt(place, 'system.slice', systemClock), InvalidInputError);
  const cgroups = cgroupsAt(place, 'podway-test', systemClock);
  for (const name of ['..', '', 'a/b', '.']) assert.throws(() => cgroups.create([name], {}), name);
  assert.throws(() => removeCgroups(['/sys/fs/cgroup/system.slice']), InvalidInputError);
});

test('joinCommand: the command alone where there is no group', () => {
  assert.deepEqual(joinCommand(undefined, ['true']), ['true']);
  const joining = joinCommand({ joinFiles: ['/a', '/b'], oomKills: () => 0, remove: async () => {} }, [
    'x',
    'y',
  ]);
  assert.deepEqual(joining.slice(3), ['podway-join', '/a', '/b', '--', 'x', 'y']);
});

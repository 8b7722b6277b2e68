import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findHierarchies } from './hierarchies.ts';

const HYBRID = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
`;
const UNIFIED = '30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n';

test('findHierarchies: a hybrid machine is of version 1, each controller with a path of its own', () => {
  const found = findHierarchies(
    HYBRID,
    '9:name=systemd:/user\n4:memory:/a/b\n1:cpu,cpuacct:/\n8:pids:/\n0::/u\n',
  );
  assert.ok(found.version === 1);
  assert.deepEqual(Object.fromEntries(found.own), {
    cpu: '/sys/fs/cgroup/cpu,cpuacct',
    memory: '/sys/fs/cgroup/memory/a/b',
  });
});

test('findHierarchies: a unified machine', () => {
  assert.deepEqual(findHierarchies(UNIFIED, '0::/user.slice/session-3.scope\n'), {
    version: 2,
    mount: '/sys/fs/cgroup',
    own: '/sys/fs/cgroup/user.slice/session-3.scope',
  });
});

test('findHierarchies: inside a container whose mount shows a part only', () => {
  const mountinfo = '30 23 0:26 /docker/1 /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n';
  assert.deepEqual(findHierarchies(mountinfo, '0::/docker/1/x\n'), {
    version: 2,
    mount: '/sys/fs/cgroup',
    own: '/sys/fs/cgroup/x',
  });
  assert.deepEqual(findHierarchies(mountinfo, '0::/docker/12\n'), { version: undefined });
});

test('findHierarchies: a group outside of what is seen, or no groups at all', () => {
  assert.deepEqual(findHierarchies(UNIFIED, '0::/../other\n'), { version: undefined });
  assert.deepEqual(findHierarchies('', ''), { version: undefined });
});

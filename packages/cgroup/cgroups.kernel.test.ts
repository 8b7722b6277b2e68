import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { after, test } from 'node:test';
import { joinCommand } from './join-command.ts';
import { openCgroups } from './open-cgroups.ts';
import type { Cgroup } from './ports.ts';
import { removeCgroups } from './remove-cgroups.ts';

const cgroups = openCgroups(`podway-test-${randomUUID().slice(0, 8)}`);
const skip = cgroups.enforced.size < 3 ? (cgroups.obstacle ?? 'not all controllers') : false;
after(async () => await cgroups[Symbol.asyncDispose]());

/** Runs a command inside a group: how it ended, and what it printed. */
async function runIn(group: Cgroup, ...argv: readonly string[]) {
  const [program = '', ...args] = joinCommand(group, argv);
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const exited = new Promise<NodeJS.Signals | number | null>((resolve) =>
    child.once('exit', (code, signal) => resolve(signal ?? code)),
  );
  let output = '';
  for await (const chunk of child.stdout) output += String(chunk);
  return { ended: await exited, output };
}

test('Cgroup: a process that takes more memory than its limit is killed, and counted', { skip }, async () => {
  const group = cgroups.create(['memory', 'main.0'], { memoryLimit: 16 * 2 ** 20 });
  const hungry = await runIn(group, process.execPath, '-e', 'Buffer.alloc(64 * 2 ** 20, 1)');
  assert.equal(hungry.ended, 'SIGKILL');
  assert.ok(group.oomKills() > 0);
  const modest = await runIn(group, 'echo', 'fits');
  assert.deepEqual(modest, { ended: 0, output: 'fits\n' });
  await group.remove();
  for (const file of group.joinFiles) assert.equal(existsSync(dirname(file)), false, file);
});

test('Cgroup: what is started counts against the limit of processes', { skip }, async () => {
  const group = cgroups.create(['pids', 'main.0'], { pidsLimit: 3 });
  const many = await runIn(group, 'sh', '-c', 'for i in 1 2 3; do sleep 1000 >&2 & done; echo no');
  assert.equal(many.output, '');
});

test('Cgroup: processor time beyond the quota is held back', { skip }, async () => {
  const group = cgroups.create(['cpu', 'main.0'], { cpuLimitMilli: 20 });
  // Some 40 ms: the kernel looks at each tick, which may be 10 ms, and what has ended before is not held back.
  await runIn(group, 'sh', '-c', 'i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done');
  const directory = dirname(group.joinFiles[0] ?? '');
  const throttled = /^nr_throttled (\d+)$/m.exec(readFileSync(`${directory}/cpu.stat`, 'utf8'))?.[1];
  assert.ok(Number(throttled) > 0, `throttled ${throttled} times`);
  await group.remove();
});

test('Cgroups: what is left is killed and removed at the end, or by whoever comes after', {
  skip,
}, async () => {
  await using own = openCgroups(`podway-test-${randomUUID().slice(0, 8)}`);
  const group = own.create(['pod', 'main.0'], { cpuRequestMilli: 100 });
  const [program = '', ...args] = joinCommand(group, ['sleep', '1000']);
  const child = spawn(program, args, { stdio: 'ignore' });
  const exited = new Promise((resolve) => child.once('exit', (_, signal) => resolve(signal)));
  // It joins one hierarchy after the other.
  const file = group.joinFiles.at(-1) ?? '';
  while (!readFileSync(file, 'utf8').includes(`${child.pid}`)) await new Promise(setImmediate);
  assert.deepEqual(removeCgroups(own.directories).length, own.directories.length);
  await own[Symbol.asyncDispose]();
  assert.equal(await exited, 'SIGKILL');
  for (const directory of own.directories) assert.equal(existsSync(directory), false, directory);
  assert.deepEqual(removeCgroups(own.directories), []);
});

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sandboxedKernel } from '#kernel';
import { eventually, seededRandom, sleep, systemClock } from '#runtime';
import { AttachmentStore } from './attachment-store.ts';
import { compileClient } from './client/compile.ts';
import { execute } from './fixture.ts';

const CONFIG = { cniVersion: '1.1.0', name: 'podway', type: 'podway' };
const PODS = 12;
/** More by `PODWAY_KILLS=200`: some minutes. */
const KILLS = Number(process.env['PODWAY_KILLS'] ?? 15);

const podName = (i: number) => `pod-${i}`;
/** A host port of its own for each Pod; for every third a limit, which is a link more that could be left. */
const configOf = (i: number) => ({
  ...CONFIG,
  runtimeConfig: {
    portMappings: [{ hostPort: 9000 + i, containerPort: 80, protocol: 'tcp' }],
    ...(i % 3 === 0 && { bandwidth: { egressRate: 1e9, egressBurst: 1e7 } }),
  },
});
const environmentOf = (command: string, name: string) => ({
  CNI_COMMAND: command,
  CNI_CONTAINERID: name,
  CNI_NETNS: `/run/netns/${name}`,
  CNI_IFNAME: 'eth0',
});

test(`agent killed ${KILLS} times under load: no address twice, nothing lost, nothing left after GC`, async (t) => {
  const kernel = sandboxedKernel();
  const random = seededRandom(7);
  const dir = mkdtempSync('/tmp/cni-kill-');
  const client = await compileClient();
  const executable = join(dir, 'podway');
  for (let i = 0; i < PODS; i++) kernel.createNetns(`/run/netns/${podName(i)}`)[Symbol.dispose]();

  const start = async (): Promise<ChildProcess> => {
    const args = [
      fileURLToPath(import.meta.resolve('./fixture-process.ts')),
      dir,
      '10.244.1.0/24',
      ...(client ? [client] : []),
    ];
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    assert.ok(child.stdout);
    await once(child.stdout, 'data');
    return child;
  };

  /** Adds and deletes one Pod again and again, as a runtime does that answers a failed ADD with DEL. */
  let running = true;
  const attached = new Map<string, string>();
  let adds = 0;
  const churn = async (i: number) => {
    const name = podName(i);
    while (running) {
      const add = await execute(executable, environmentOf('ADD', name), configOf(i));
      if (add.exitStatus === 0) {
        adds++;
        const address: string = JSON.parse(add.output).ips[0].address;
        assert.ok(![...attached.values()].includes(address), `${address} given twice`);
        attached.set(name, address);
        if (random.next() < 0.3) await sleep(systemClock, random.next() * 20);
      }
      attached.delete(name);
      await execute(executable, environmentOf('DEL', name), configOf(i));
    }
  };

  let agent = await start();
  const load = Promise.all(Array.from({ length: PODS }, (_, i) => churn(i)));
  for (let kill = 0; kill < KILLS; kill++) {
    // Every other one attaches a Pod first, however slow the machine is.
    const before = adds;
    if (kill % 2 === 0) await eventually('an ADD', () => adds > before);
    await sleep(systemClock, 10 + random.next() * 120);
    const ended = once(agent, 'exit');
    agent.kill('SIGKILL');
    await ended;
    agent = await start();
  }
  running = false;
  await load;

  const gc = await execute(executable, { CNI_COMMAND: 'GC' }, { ...CONFIG, 'cni.dev/valid-attachments': [] });
  assert.deepEqual(gc, { exitStatus: 0, output: '' });
  using node = kernel.currentNetns();
  const links = node.links.list().map(({ name }) => name);
  const hostPorts = JSON.stringify(await node.nft.listTable('ip', 'podway-hostport'));
  const ended = once(agent, 'exit');
  agent.kill('SIGKILL');
  await ended;
  using store = new AttachmentStore(join(dir, 'attachments.sqlite'));
  assert.deepEqual({ links, attachments: store.count() }, { links: ['lo', 'cni0'], attachments: 0 });
  assert.match(hostPorts, /"map"/);
  assert.doesNotMatch(hostPorts, /"elem"/);
  t.diagnostic(
    `${KILLS} kills, ${adds} ADDs that succeeded, 0 addresses given twice, 0 links, addresses and host ports left`,
  );
  rmSync(dir, { recursive: true });
});

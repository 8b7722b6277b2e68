import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sandboxedKernel } from '#kernel';
import { FakeKubeClient } from '#kube-client';
import { createLogger, type LogRecord, silentLogger, systemClock } from '#runtime';
import { startAgent } from './agent.ts';
import { parseAgentOptions } from './options.ts';
import { logMechanisms } from './services.ts';

const kernel = sandboxedKernel();
const hasIpvs = (() => {
  using netns = kernel.currentNetns();
  return netns.ipvs.available();
})();

test('startAgent: a mechanism that the kernel lacks is refused, with the reason and what there is instead', {
  skip: hasIpvs ? 'this kernel has every mechanism' : false,
}, async () => {
  const command = parseAgentOptions([
    ...['--node-name', 'node1', '--cluster-cidr', '10.244.0.0/16', '--service-cidr', '10.96.0.0/16'],
    ...['--cluster-dns', '10.96.0.10', '--run-dir', '/run/refused', '--state-dir', '/run/refused/state'],
    ...['--cni-conf-dir', '/run/refused/net.d', '--cni-bin-dir', '/run/refused/bin', '--proxy', 'ipvs'],
    ...['--health-address', '127.0.0.1:0', '--metrics-address', '127.0.0.1:0'],
  ]);
  assert.ok(command.kind === 'run');
  const deps = { kernel, client: new FakeKubeClient(), clock: systemClock, logger: silentLogger };
  await assert.rejects(startAgent(command.options, deps), {
    name: 'MechanismUnavailableError',
    message: /^--proxy ipvs: this machine cannot carry Services so \(.*ip_vs.*\), but with --proxy nftables/,
  });
  using netns = kernel.currentNetns();
  assert.deepEqual(await netns.nft.listTables(), []);
});

test('logMechanisms: one line says of each mechanism whether this machine has it', async () => {
  const records: LogRecord[] = [];
  using netns = kernel.currentNetns();
  const logger = createLogger((record) => void records.push(record));
  await logMechanisms('nftables', { netns, clock: systemClock, logger });
  assert.equal(records.length, 1);
  const { nftables, ipvs } = records[0]?.fields ?? {};
  assert.equal(nftables, 'in use');
  assert.match(String(ipvs), hasIpvs ? /^possible$/ : /^not possible: .*ip_vs/);
});

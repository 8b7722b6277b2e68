import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { IP_FAMILIES } from '#ip';
import { type IptablesPort, type NetworkNamespace, sandboxedKernel } from '#kernel';
import type { BehaviourState } from '../../behaviour/case.ts';
import { CASES } from '../../behaviour/cases.ts';
import { FACTS, service, slice } from '../../behaviour/cluster.ts';
import { inFamily } from '../../behaviour/in-family.ts';
import { buildTable, diffTables } from '../../table/table.ts';
import { IptablesBackend } from './backend.ts';
import { FamilyRules } from './family-rules.ts';
import { probeIptables } from './probe.ts';

const kernel = sandboxedKernel();
const PATH = '/run/netns/iptables-backend';
const installed = kernel.currentNetns().iptables.variants();

for (const variant of ['nft', 'legacy'] as const)
  describe(`IptablesBackend in the kernel, ${variant}`, {
    skip: !installed.includes(variant) && `iptables-${variant}-restore is not installed`,
  }, () => {
    let netns: NetworkNamespace;
    before(() => {
      netns = kernel.createNetns(PATH);
    });
    after(() => {
      netns[Symbol.dispose]();
      kernel.deleteNetns(PATH);
    });
    const backend = () => new IptablesBackend(netns.iptables, netns.nft, variant);
    afterEach(() => backend().cleanup());
    const tableOf = (state: Pick<BehaviourState, 'services' | 'slices' | 'facts'>) =>
      buildTable(state.services, state.slices, { ...FACTS, ...state.facts });
    const saved = async (table = 'nat') =>
      (await netns.iptables.save(variant, 'IPv4', table)).split('\n').filter((line) => line.startsWith('-A'));
    const restore = (...lines: string[]) =>
      netns.iptables.restore(variant, 'IPv4', [...lines, 'COMMIT', ''].join('\n'));

    for (const family of IP_FAMILIES)
      test(`${family}: the kernel prints what was meant, in every state of every case, and a restart writes nothing`, async () => {
        const facts = inFamily(family, FACTS);
        for (const { name, states } of inFamily(family, CASES)) {
          await backend().cleanup();
          const rules = new FamilyRules(netns.iptables, variant, family, true);
          let previous = buildTable([], [], facts);
          for (const state of states) {
            const table = buildTable(state.services, state.slices, { ...facts, ...state.facts });
            await rules.apply(
              table,
              diffTables(previous, table).map((change) => change.service),
            );
            previous = table;
            assert.ok(await rules.matches(), `${name}: ${state.when ?? ''}`);
          }
          const restarted = backend();
          await restarted.observe();
          assert.deepEqual(await restarted.apply(previous, []), { writes: 0 }, name);
        }
      });

    test('probe: this kernel has everything, and nothing is left of the asking; what is missing is said in words', async () => {
      assert.deepEqual(await backend().probe(), []);
      assert.deepEqual(await saved(), []);
      const without = (text: string): Pick<IptablesPort, 'test'> => ({
        test: (which, family, input) =>
          input.includes(text)
            ? Promise.reject(new Error('no such match'))
            : netns.iptables.test(which, family, input),
      });
      const [one, ...more] = await probeIptables(without('-m recent'), variant);
      assert.match(one ?? '', /session affinity \(xt_recent\): no such match$/);
      assert.deepEqual(more, []);
      assert.equal((await probeIptables(without('*nat'), variant)).length, 1);
    });

    test('cleanup removes our chains and what leads to them, and leaves everyone else’s', async () => {
      const others = [
        '-A PREROUTING -i eth9 -j KUBE-SERVICES',
        '-A KUBE-SERVICES -d 192.0.2.1/32 -j RETURN',
        '-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE',
      ];
      await restore('*nat', ':KUBE-SERVICES - [0:0]', ...others);
      const before = await saved();
      const carrier = backend();
      await carrier.apply(tableOf({ services: [service()], slices: [slice(['b'])] }), []);
      assert.equal((await saved()).length > before.length, true);
      assert.equal(await carrier.retire(), true);
      await carrier.cleanup();
      assert.deepEqual(await saved(), before);
      assert.deepEqual(await saved('filter'), []);
      await restore('*nat', '-F PREROUTING', '-F POSTROUTING', ':KUBE-SERVICES - [0:0]', '-X KUBE-SERVICES');
    });

    test('what someone else takes away or adds is noticed, and made good', async () => {
      const carrier = backend();
      const table = tableOf({ services: [service()], slices: [slice(['b'])] });
      await carrier.apply(table, []);
      const whole = [await saved(), await saved('filter')];
      const disturbances = [
        ['*nat', '-F PREROUTING'],
        ['*filter', '-F FORWARD'],
        ['*nat', '-F PODWAY-SERVICES'],
        ['*nat', '-I PODWAY-SERVICES -p icmp -j RETURN'],
      ];
      for (const disturbance of disturbances) {
        assert.equal(await carrier.intact(), true);
        await restore(...disturbance);
        let checks = 0;
        while ((await carrier.intact()) && checks < 40) checks++;
        assert.ok(checks < 40, disturbance.join());
        await carrier.observe();
        await carrier.apply(table, []);
        assert.deepEqual([await saved(), await saved('filter')], whole, disturbance.join());
      }
    });
  });

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, test } from 'node:test';
import { fakeKernel, type IptablesPort } from '#kernel';
import type { BehaviourState } from '../../behaviour/case.ts';
import {
  balancedService,
  FACTS,
  NODE_ADDRESS,
  nodePortService,
  service,
  slice,
} from '../../behaviour/cluster.ts';
import type { NodeFacts } from '../../table/facts.ts';
import { buildTable } from '../../table/table.ts';
import { IptablesBackend } from './backend.ts';

const WEB = 'default/web';

describe('iptables', () => {
  let netns: ReturnType<ReturnType<typeof fakeKernel>['currentNetns']>;
  let written: string[];
  let iptables: IptablesPort;
  beforeEach(() => {
    netns = fakeKernel().currentNetns();
    written = [];
    const real = netns.iptables;
    iptables = {
      variants: () => real.variants(),
      tables: (...table) => real.tables(...table),
      save: (...table) => real.save(...table),
      test: (...input) => real.test(...input),
      restore: (variant, family, input) => {
        written.push(input);
        return real.restore(variant, family, input);
      },
    };
  });
  const backend = () => new IptablesBackend(iptables, netns.nft);
  const table = (state: Pick<BehaviourState, 'services' | 'slices'>, facts: Partial<NodeFacts> = {}) =>
    buildTable(state.services, state.slices, { ...FACTS, ...facts });
  const saved = async (name = 'nat') =>
    (await netns.iptables.save('nft', 'IPv4', name)).split('\n').filter((line) => line.includes('PODWAY'));

  test('apply: what a Service becomes, with a node port, a load balancer, source ranges, policy Local and affinity', async () => {
    const sticky = { sessionAffinity: 'ClientIP', externalTrafficPolicy: 'Local' };
    const ranges = { loadBalancerSourceRanges: ['198.51.100.0/24'] };
    await backend().apply(
      table({ services: [balancedService({ ...sticky, ...ranges })], slices: [slice(['a', 'c'])] }),
      [],
    );
    assert.equal(written.length, 1);
    const names = new Map<string, string>();
    // Hashes in order of appearance: the text says what is meant.
    const text = written[0]?.replace(/[0-9A-F]{16}/g, (digest) => {
      const name = names.get(digest) ?? `<${names.size + 1}>`;
      names.set(digest, name);
      return name;
    });
    assert.equal(text, readFileSync(join(import.meta.dirname, 'testdata/balanced-service.txt'), 'utf8'));
  });

  test('apply: a change of one Service writes its own chain and no other', async () => {
    const carrier = backend();
    const others = Array.from({ length: 20 }, (_, i) =>
      service(
        { clusterIP: `10.96.2.${i}`, clusterIPs: [`10.96.2.${i}`] },
        { metadata: { name: `other-${i}` } },
      ),
    );
    const of = (...pods: ('b' | 'c')[]) => table({ services: [service(), ...others], slices: [slice(pods)] });
    await carrier.apply(of('b'), []);
    written.length = 0;
    assert.deepEqual(await carrier.apply(of('b', 'c'), [WEB]), { writes: 1 });
    assert.deepEqual(written[0]?.replace(/[0-9A-F]{16}/g, 'X').split('\n'), [
      '*nat',
      ':PODWAY-SVC-X - [0:0]',
      '-A PODWAY-SVC-X -p tcp -m statistic --mode random --probability 0.50000000000 -j DNAT --to-destination 10.244.1.11:8080',
      '-A PODWAY-SVC-X -p tcp -j DNAT --to-destination 10.244.2.10:8080',
      'COMMIT',
      '',
    ]);
    assert.deepEqual(await carrier.apply(of('b', 'c'), [WEB]), { writes: 0 });
    assert.equal(written.length, 1);
  });

  test('apply: refusals come before nat stops translating, and go after it has begun', async () => {
    const carrier = backend();
    const order = () => [...(written.at(-1) ?? '').matchAll(/^\*(\w+)$/gm)].map(([, name]) => name);
    const state = (...pods: 'b'[]) => table({ services: [nodePortService()], slices: [slice(pods)] });
    await carrier.apply(state('b'), []);
    await carrier.apply(state(), [WEB]);
    assert.deepEqual(order(), ['filter', 'nat']);
    await carrier.apply(state('b'), [WEB]);
    assert.deepEqual(order(), ['nat', 'filter']);
  });

  test('apply: one Service takes over another’s address in one change', async () => {
    const carrier = backend();
    const named = (name: string) => service({}, { metadata: { name } });
    const served = (name: string) => slice(['b'], { name: `${name}-1`, service: name });
    await carrier.apply(table({ services: [named('zoo')], slices: [served('zoo')] }), []);
    const next = table({ services: [named('ape')], slices: [served('ape')] });
    await carrier.apply(next, ['default/ape', 'default/zoo']);
    const left = await saved();
    assert.ok(
      left.some((line) => line.includes('default/ape')) && !left.some((line) => line.includes('zoo')),
    );
    assert.equal(left.filter((line) => line.startsWith('-A PODWAY-SVC-')).length, 1);
  });

  test('observe: a restart over what is right writes nothing, over anything else the difference', async () => {
    const state = table({
      services: [balancedService({ externalTrafficPolicy: 'Local', sessionAffinity: 'ClientIP' })],
      slices: [slice(['b', 'c'])],
    });
    await backend().apply(state, []);
    const whole = await saved();
    const restarted = backend();
    assert.ok((await restarted.observe()).frontends.has(`${NODE_ADDRESS} TCP 30080` as never));
    assert.deepEqual(await restarted.apply(state, []), { writes: 0 });
    // A jump in another form, one twice, a chain that nobody wants, a rule too much.
    await netns.iptables.restore(
      'nft',
      'IPv4',
      [
        '*nat',
        ':PODWAY-OLD - [0:0]',
        '-A PREROUTING -i eth0 -j PODWAY-SERVICES',
        '-A OUTPUT -m comment --comment "Services, by podway" -j PODWAY-SERVICES',
        '-A PODWAY-SERVICES -p icmp -j PODWAY-OLD',
        'COMMIT\n',
      ].join('\n'),
    );
    const mended = backend();
    await mended.observe();
    assert.deepEqual(await mended.apply(state, []), { writes: 4 });
    assert.deepEqual((await saved()).sort(), whole.sort());
  });

  test('apply: a failed one is repeated from what is there', async () => {
    const carrier = backend();
    const of = (...pods: ('b' | 'c')[]) => table({ services: [service()], slices: [slice(pods)] });
    await carrier.apply(of('b'), []);
    const real = iptables.restore;
    Object.assign(iptables, { restore: () => Promise.reject(new Error('no')) });
    await assert.rejects(async () => carrier.apply(of('c'), [WEB]), /no/);
    Object.assign(iptables, { restore: real });
    // The Service's chain, and that of Pods that may reach themselves.
    assert.deepEqual(await carrier.apply(of('c'), [WEB]), { writes: 2 });
  });

  test('variant: the one that holds Podway’s rules, else Kubernetes’, else what iptables is', async () => {
    const state = table({ services: [service()], slices: [slice(['b'])] });
    const used = async () => {
      await backend().apply(state, []);
      const found = [];
      for (const variant of ['nft', 'legacy'] as const)
        if ((await iptables.save(variant, 'IPv4', 'nat')).includes('PODWAY')) found.push(variant);
      await backend().cleanup();
      return found;
    };
    assert.deepEqual(await used(), ['nft']);
    await netns.iptables.restore('legacy', 'IPv4', '*nat\n:KUBE-SERVICES - [0:0]\nCOMMIT\n');
    assert.deepEqual(await used(), ['legacy']);
    await netns.iptables.restore('nft', 'IPv4', '*nat\n:PODWAY-SERVICES - [0:0]\nCOMMIT\n');
    assert.deepEqual(await used(), ['nft']);
  });

  test('cleanup: destinations are translated no more before sources are translated no more', async () => {
    await backend().apply(table({ services: [service()], slices: [slice(['b'])] }), []);
    written = [];
    await backend().cleanup();
    const [first, second, ...more] = written;
    assert.deepEqual(first?.match(/^-D \S+/gm), ['-D PREROUTING', '-D OUTPUT']);
    assert.match(second ?? '', /^-D POSTROUTING .*^-X PODWAY-POSTROUTING$/ms);
    assert.deepEqual([more, await saved()], [[], []]);
  });

  test('without iptables: the probe says so, cleanup has nothing to do', async () => {
    Object.assign(iptables, { variants: () => [] });
    assert.deepEqual(await backend().probe(), ['iptables is not installed (package iptables, 1.8 or newer)']);
    assert.deepEqual((await backend().observe()).frontends.size, 0);
    await backend().cleanup();
    await assert.rejects(backend().apply(table({ services: [], slices: [] }), []), /not installed/);
  });
});

import assert from 'node:assert/strict';
import test from 'node:test';
import { InvalidInputError } from '#runtime';
import {
  type DnsPolicy,
  type PodDnsConfig,
  parseResolvConf,
  podResolvConf,
  type ResolvConfContext,
} from './resolv-conf.ts';

const context: ResolvConfContext = {
  clusterDns: ['10.96.0.10'],
  clusterDomain: 'cluster.local',
  namespace: 'shop',
  nodeResolvConf: 'nameserver 192.0.2.1\nsearch corp.example\noptions edns0 timeout:1\n',
};

const cases: readonly {
  readonly name: string;
  readonly policy: DnsPolicy;
  readonly config?: PodDnsConfig;
  readonly context?: Partial<ResolvConfContext>;
  readonly text: string;
}[] = [
  {
    name: 'ClusterFirst: the three cluster domains before those of the node',
    policy: 'ClusterFirst',
    text: 'search shop.svc.cluster.local svc.cluster.local cluster.local corp.example\nnameserver 10.96.0.10\noptions ndots:5\n',
  },
  {
    name: 'ClusterFirst of a hostNetwork Pod is Default',
    policy: 'ClusterFirst',
    context: { hostNetwork: true },
    text: 'search corp.example\nnameserver 192.0.2.1\noptions edns0 timeout:1\n',
  },
  {
    name: 'ClusterFirstWithHostNet: cluster DNS for hostNetwork too',
    policy: 'ClusterFirstWithHostNet',
    context: { hostNetwork: true, nodeResolvConf: '' },
    text: 'search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n',
  },
  {
    name: 'Default: the node’s own, with dnsConfig appended',
    policy: 'Default',
    config: { nameservers: ['192.0.2.1', '2001:db8::53'], searches: ['x.example.'] },
    text: 'search corp.example x.example\nnameserver 192.0.2.1\nnameserver 2001:db8::53\noptions edns0 timeout:1\n',
  },
  {
    name: 'None: dnsConfig alone',
    policy: 'None',
    config: {
      nameservers: ['192.0.2.7'],
      searches: ['ns1.svc.cluster-domain.example', 'my.dns.search.suffix'],
      options: [{ name: 'ndots', value: '2' }, { name: 'edns0' }],
    },
    text: 'search ns1.svc.cluster-domain.example my.dns.search.suffix\nnameserver 192.0.2.7\noptions ndots:2 edns0\n',
  },
  {
    name: 'ClusterFirst: an option of dnsConfig replaces the one of the same name',
    policy: 'ClusterFirst',
    config: { options: [{ name: 'single-request-reopen' }, { name: 'ndots', value: '1' }] },
    text: 'search shop.svc.cluster.local svc.cluster.local cluster.local corp.example\nnameserver 10.96.0.10\noptions ndots:1 single-request-reopen\n',
  },
  {
    name: 'Default on a node without resolvers: its loopback',
    policy: 'Default',
    context: { nodeResolvConf: '' },
    text: 'nameserver 127.0.0.1\n',
  },
];

for (const { name, policy, config, context: changes, text } of cases)
  test(`podResolvConf: ${name}`, () => {
    const result = podResolvConf(policy, config, { ...context, ...changes });
    assert.equal(result.text, text);
    assert.deepEqual(result.warnings, []);
  });

test('podResolvConf: without a cluster DNS the node’s resolvers, with a warning', () => {
  const result = podResolvConf('ClusterFirst', undefined, { ...context, clusterDns: [] });
  assert.deepEqual(result.nameservers, ['192.0.2.1']);
  assert.equal(result.warnings.length, 1);
});

test('podResolvConf: three nameservers, 32 search domains, 2048 characters, 253 a name', () => {
  const many = podResolvConf(
    'None',
    {
      nameservers: ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4'],
      searches: Array.from({ length: 40 }, (_, i) => `d${i}.example`),
    },
    context,
  );
  assert.deepEqual(many.nameservers, ['192.0.2.1', '192.0.2.2', '192.0.2.3']);
  assert.equal(many.searches.length, 32);
  assert.equal(many.warnings.length, 2);

  const long = podResolvConf(
    'None',
    {
      nameservers: ['192.0.2.1'],
      searches: Array.from({ length: 20 }, (_, i) => `${'a'.repeat(60)}.${'b'.repeat(60)}.d${i}`),
    },
    context,
  );
  assert.ok(long.searches.join(' ').length <= 2048);
  assert.ok(long.searches.length >= 15);

  const name = podResolvConf(
    'None',
    { nameservers: ['192.0.2.1'], searches: [`${'a.'.repeat(127)}example`, 'b'] },
    context,
  );
  assert.deepEqual(name.searches, ['b']);
});

test('podResolvConf: what could break the file is refused with its field', () => {
  const bad: readonly [PodDnsConfig, string][] = [
    [{ nameservers: ['one.one'] }, 'dnsConfig.nameservers'],
    [{ nameservers: ['1.1.1.1'], searches: ['a\nnameserver 6.6.6.6'] }, 'dnsConfig.searches'],
    [{ nameservers: ['1.1.1.1'], options: [{ name: 'ndots', value: '1\nx' }] }, 'dnsConfig.options'],
    [{}, 'dnsConfig.nameservers'],
  ];
  for (const [config, field] of bad)
    assert.throws(
      () => podResolvConf('None', config, context),
      (error: unknown) => error instanceof InvalidInputError && error.field === field,
    );
});

test('parseResolvConf: reads what glibc reads', () => {
  assert.deepEqual(
    parseResolvConf(
      '# a comment\n; another\ndomain old.example\nsearch a.example. . b.example\nnameserver 192.0.2.1 # note\nnameserver fe80::1%eth0\noptions ndots:2\noptions rotate ndots:3\nsortlist 1.2.3.4\n',
    ),
    {
      nameservers: ['192.0.2.1', 'fe80::1%eth0'],
      searches: ['a.example', 'b.example'],
      options: ['ndots:3', 'rotate'],
    },
  );
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { InvalidInputError } from '#runtime';
import { DEFAULT_IPVS_OPTIONS } from '#service-proxy';
import { AGENT_HELP } from './help.ts';
import { parseAgentOptions } from './options.ts';
import { agentPaths } from './paths.ts';

const REQUIRED = [
  ...['--node-name', 'node1', '--cluster-cidr', '10.244.0.0/16,fd00:244::/48'],
  ...['--service-cidr', '10.96.0.0/16', '--cluster-dns', '10.96.0.10'],
];

describe('parseAgentOptions', () => {
  test('--probe needs no other flag; it asks for one mechanism with --proxy, and as its flags say', () => {
    const parsed = (...flags: readonly string[]) => {
      const command = parseAgentOptions(['--probe', ...flags]);
      assert.ok(command.kind === 'probe');
      return [command.mechanism, command.options.iptablesVariant, command.options.ipvs.scheduler];
    };
    assert.deepEqual(parsed(), [undefined, 'auto', 'rr']);
    assert.deepEqual(parsed('--proxy', 'ipvs', '--ipvs-scheduler', 'mh'), ['ipvs', 'auto', 'mh']);
    assert.throws(() => parsed('--proxy', 'none'), /^InvalidInputError: --proxy: .* one of nftables, /);
    assert.throws(() => parsed('--ipvs-scheduler', 'best'), /^InvalidInputError: --ipvs-scheduler: /);
  });

  test('the required flags are enough; the others have the defaults of a real node', () => {
    const command = parseAgentOptions(REQUIRED);
    assert.ok(command.kind === 'run');
    assert.deepEqual(command.options, {
      nodeName: 'node1',
      kubeconfig: undefined,
      clusterCidrs: ['10.244.0.0/16', 'fd00:244::/48'],
      serviceCidrs: ['10.96.0.0/16'],
      clusterDns: ['10.96.0.10'],
      clusterDomain: 'cluster.local',
      dnsUpstreams: [],
      dnsPolicy: 'random',
      dnsStubDomains: {},
      dnsHosts: undefined,
      dnsTtl: 5,
      dnsPods: 'insecure',
      dnsAutopath: false,
      dnsTransferTo: [],
      dnsLogQueries: 0,
      runDir: '/run/podway',
      stateDir: '/var/lib/podway',
      cniConfDir: '/etc/cni/net.d',
      cniBinDir: '/opt/cni/bin',
      podNetwork: 'host-gw',
      proxy: 'nftables',
      iptablesVariant: 'auto',
      nodePortAddresses: 'primary',
      ipvs: DEFAULT_IPVS_OPTIONS,
      masquerade: true,
      health: { address: '0.0.0.0', port: 10256 },
      metrics: { address: '127.0.0.1', port: 10249 },
      logLevel: 'info',
    });
    assert.equal(agentPaths(command.options).socket, '/run/podway/agent.sock');
  });

  test('--dns-stub-domains, --dns-policy, --dns-hosts, --dns-ttl', () => {
    const command = parseAgentOptions([
      ...[...REQUIRED, '--dns-policy', 'sequential', '--dns-hosts', '/etc/hosts', '--dns-ttl', '30'],
      ...['--dns-stub-domains', 'a.example=192.0.2.1,a.example=192.0.2.2,b.example=tls://192.0.2.3'],
    ]);
    assert.ok(command.kind === 'run');
    const { dnsStubDomains, dnsPolicy, dnsHosts, dnsTtl } = command.options;
    assert.deepEqual(dnsStubDomains, {
      'a.example': ['192.0.2.1', '192.0.2.2'],
      'b.example': ['tls://192.0.2.3'],
    });
    assert.deepEqual([dnsPolicy, dnsHosts, dnsTtl], ['sequential', '/etc/hosts', 30]);
  });

  test('--cleanup needs no other flag; it takes those that say where the agent has what, and any other of its flags', () => {
    assert.deepEqual(parseAgentOptions(['--cleanup']), {
      kind: 'cleanup',
      options: {
        runDir: '/run/podway',
        stateDir: '/var/lib/podway',
        cniConfDir: '/etc/cni/net.d',
        cniBinDir: '/opt/cni/bin',
        logLevel: 'info',
      },
    });
    const command = parseAgentOptions([...REQUIRED, '--cleanup', '--state-dir', '/srv/podway']);
    assert.ok(command.kind === 'cleanup');
    assert.equal(command.options.stateDir, '/srv/podway');
    assert.throws(() => parseAgentOptions(['--cleanup', '--run-dir', 'x']), /--run-dir: .*absolute path/);
    assert.match(AGENT_HELP, /\n {2}--cleanup +remove all /);
  });

  test('--no-masquerade, an IPv6 listen address', () => {
    const command = parseAgentOptions([...REQUIRED, '--no-masquerade', '--metrics-address', '[::1]:0']);
    assert.ok(command.kind === 'run');
    assert.equal(command.options.masquerade, false);
    assert.deepEqual(command.options.metrics, { address: '::1', port: 0 });
  });

  test('--ipvs-…: how IPVS balances', () => {
    const parsed = (...flags: readonly string[]) => {
      const command = parseAgentOptions([...REQUIRED, ...flags]);
      assert.ok(command.kind === 'run');
      return command.options.ipvs;
    };
    const times = ['--ipvs-tcp-timeout', '1h', '--ipvs-tcpfin-timeout', '0s', '--ipvs-udp-timeout', '1m30s'];
    assert.deepEqual(
      parsed('--ipvs-scheduler', 'mh', '--ipvs-grace-period', '30s', '--ipvs-strict-arp', ...times),
      {
        ...{ scheduler: 'mh', gracePeriodMs: 30_000, strictArp: true, forwarding: 'masquerade' },
        timeouts: { tcp: 3600, udp: 90 },
      },
    );
    assert.equal(parsed('--ipvs-direct-routing').forwarding, 'direct');
    assert.throws(() => parsed('--ipvs-scheduler', 'best'), /--ipvs-scheduler: .*"best".* one of rr, wrr/);
    for (const wrong of ['', '15', '-1s', 'soon'])
      assert.throws(() => parsed(`--ipvs-grace-period=${wrong}`), /--ipvs-grace-period: /);
  });

  test('--nodeport-addresses: words or prefixes', () => {
    const parsed = (value: string) => {
      const command = parseAgentOptions([...REQUIRED, '--nodeport-addresses', value]);
      assert.ok(command.kind === 'run');
      return command.options.nodePortAddresses;
    };
    assert.equal(parsed('all'), 'all');
    assert.deepEqual(parsed('localhost'), ['127.0.0.0/8', '::1/128']);
    assert.deepEqual(parsed('192.0.2.0/24,fd00::/64'), ['192.0.2.0/24', 'fd00::/64']);
    assert.throws(
      () => parsed('everything'),
      /^InvalidInputError: --nodeport-addresses: invalid value "everything": "primary", "all", /,
    );
  });

  test('--help needs nothing else, and names every flag', () => {
    assert.deepEqual(parseAgentOptions(['--help']), { kind: 'help' });
    for (const flag of REQUIRED.filter((word) => word.startsWith('--')))
      assert.ok(AGENT_HELP.includes(flag), flag);
  });

  const refused: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['a missing flag', REQUIRED.slice(2), /^--node-name: .* is required/],
    [
      'all that are missing',
      [],
      /^--node-name, --cluster-cidr, --service-cidr, --cluster-dns: .* are required/,
    ],
    [
      'ranges that overlap',
      [...REQUIRED, '--cluster-cidr', '10.0.0.0/8'],
      /^--service-cidr: invalid value "10\.96\.0\.0\/16": overlaps --cluster-cidr 10\.0\.0\.0\/8/,
    ],
    [
      'two ranges of one family',
      [...REQUIRED, '--cluster-cidr', '10.244.0.0/16,10.245.0.0/16'],
      /^--cluster-cidr: .* may be one range of each family/,
    ],
    ['an unknown flag', [...REQUIRED, '--nod'], /^arguments: .*--nod/],
    ['a node name with a path', [...REQUIRED, '--node-name', '../x'], /^--node-name: .*not a Node name/],
    ['host bits in a CIDR', [...REQUIRED, '--cluster-cidr', '10.244.1.0/16'], /^--cluster-cidr: .*host bits/],
    ['a relative directory', [...REQUIRED, '--run-dir', 'x'], /^--run-dir: .*absolute path/],
    ['an unknown pod network', [...REQUIRED, '--pod-network', 'x'], /^--pod-network: .*one of host-gw/],
    [
      'a port that is too large',
      [...REQUIRED, '--health-address', '0.0.0.0:99999'],
      /^--health-address: .*ADDRESS:PORT/,
    ],
    ['no prefix to transfer to', [...REQUIRED, '--dns-transfer-to', '::1,x'], /^--dns-transfer-to: /],
    ['more than all queries', [...REQUIRED, '--dns-log-queries', '2'], /^--dns-log-queries: .*from 0 to 1/],
    ['an upstream that is no address', [...REQUIRED, '--dns-upstreams', 'dns'], /^--dns-upstreams: /],
    ['a stub domain without upstream', [...REQUIRED, '--dns-stub-domains', 'a.b'], /^--dns-stub-domains: /],
    ['an unknown policy', [...REQUIRED, '--dns-policy', 'best'], /^--dns-policy: .*one of random/],
    ['an unknown kind of Pod records', [...REQUIRED, '--dns-pods', 'x'], /^--dns-pods: .*one of disabled/],
    ['a domain with a space', [...REQUIRED, '--cluster-domain', 'a b'], /^--cluster-domain: .*DNS name/],
  ];
  for (const [name, args, message] of refused)
    test(`refuses ${name}, naming the flag`, () => {
      assert.throws(
        () => parseAgentOptions(args),
        (error: Error) => error instanceof InvalidInputError && message.test(error.message),
      );
    });
});

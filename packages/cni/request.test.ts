import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { CniError } from './errors.ts';
import { decodeRequest, encodeRequest } from './frame.ts';
import { parseConfig } from './network-config.ts';
import { podOf, readRequest } from './request.ts';
import { formatResult, parseResult } from './result.ts';
import { CNI_VERSIONS } from './version.ts';

const CONFIG = { cniVersion: '1.1.0', name: 'podway' };

function failure(work: () => unknown): string {
  try {
    work();
    return 'accepted';
  } catch (error) {
    if (error instanceof CniError) return `${error.cniCode} ${error.message}`;
    throw error;
  }
}

describe('podOf', () => {
  const cases: readonly (readonly [string, Readonly<Record<string, string>>, string | undefined])[] = [
    ['both names', { K8S_POD_NAMESPACE: 'default', K8S_POD_NAME: 'web-0.a' }, 'default/web-0.a'],
    ['no name', { K8S_POD_NAMESPACE: 'default' }, undefined],
    ['a name that is none', { K8S_POD_NAMESPACE: 'default', K8S_POD_NAME: 'a b' }, undefined],
    ['longer than an alias', { K8S_POD_NAMESPACE: 'default', K8S_POD_NAME: 'x'.repeat(220) }, undefined],
  ];
  for (const [name, args, pod] of cases)
    test(name, () => assert.equal(podOf({ args: new Map(Object.entries(args)) }), pod));
});

describe('parseConfig', () => {
  const cases: readonly (readonly [string, object, string])[] = [
    ['not an object', [], '7 configuration: [] is not an object'],
    ['no version', { cniVersion: undefined }, '1 cniVersion: "0.1.0" is not supported'],
    ['a version that is no text', { cniVersion: 1 }, '1 cniVersion: 1 is not supported'],
    ['no name', { name: undefined }, '7 name: undefined is not a string'],
    ['runtimeConfig of another type', { runtimeConfig: 'x' }, '7 runtimeConfig: "x" is not an object'],
    [
      'a port that is too large',
      { runtimeConfig: { portMappings: [{ hostPort: 70000, containerPort: 80 }] } },
      '7 runtimeConfig.portMappings[0].hostPort: 70000 is not a whole number from 0 to 65535',
    ],
    [
      'an unknown protocol',
      { runtimeConfig: { portMappings: [{ hostPort: 1, containerPort: 80, protocol: 'icmp' }] } },
      '7 runtimeConfig.portMappings[0].protocol: "icmp" is not tcp, udp or sctp',
    ],
    [
      'a host IP that is none',
      { runtimeConfig: { portMappings: [{ hostPort: 1, containerPort: 80, hostIP: 'x' }] } },
      '7 runtimeConfig.portMappings[0].hostIP: invalid IP address "x": an IPv4 address has four decimal numbers',
    ],
    [
      'a negative rate',
      { runtimeConfig: { bandwidth: { ingressRate: -1 } } },
      `7 runtimeConfig.bandwidth.ingressRate: -1 is not a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`,
    ],
    [
      'a rate below a byte a second',
      { runtimeConfig: { bandwidth: { egressRate: 7, egressBurst: 1 } } },
      '7 runtimeConfig.bandwidth.egressRate: 7 is not at least a byte, 8 bits, a second',
    ],
    [
      'a MAC that is none',
      { runtimeConfig: { mac: 'aa' } },
      '7 runtimeConfig.mac: invalid MAC address "aa": six hex pairs with colons are expected, as in 0a:58:0a:01:00:02',
    ],
    [
      'an index that leads nowhere',
      { prevResult: { ips: [{ address: '10.0.0.1/24', interface: 0 }] } },
      '7 prevResult.ips[0].interface: 0 is not the index of one of the 0 interfaces',
    ],
    [
      'an attachment with a path',
      { 'cni.dev/valid-attachments': [{ containerID: '../x', ifname: 'eth0' }] },
      '4 cni.dev/valid-attachments[0].containerID "../x" must be 1 to 253 letters, digits, _ . - and begin with a letter or digit',
    ],
  ];
  for (const [name, fields, expected] of cases)
    test(`refuses ${name}`, () => {
      const config = Array.isArray(fields) ? fields : { ...CONFIG, ...fields };
      assert.equal(
        failure(() => parseConfig(JSON.stringify(config))),
        expected,
      );
    });

  test('takes what runtimes send: null for absent, ports that are only declared, a host IP of any', () => {
    const config = parseConfig(
      JSON.stringify({
        ...CONFIG,
        prevResult: null,
        runtimeConfig: {
          portMappings: [
            { containerPort: 80, hostPort: 0, protocol: 'TCP' },
            { containerPort: 53, hostPort: 5353, protocol: 'UDP', hostIP: '0.0.0.0' },
          ],
        },
      }),
    );
    assert.equal(config.prevResult, undefined);
    assert.deepEqual(config.portMappings, [
      { hostPort: 5353, containerPort: 53, protocol: 'udp', hostIP: undefined },
    ]);
  });

  test('finds names in any case, as containerd writes them', () => {
    const { portMappings, bandwidth, dns } = parseConfig(
      JSON.stringify({
        ...CONFIG,
        runtimeConfig: {
          portMappings: [{ HostPort: 8081, ContainerPort: 80, Protocol: 'tcp', HostIP: '192.0.2.1' }],
          bandwidth: { IngressRate: 1000, IngressBurst: 2000000, EgressRate: 0, EgressBurst: 0 },
          dns: { Servers: ['192.0.2.53'], Searches: ['a.test'], Options: ['ndots:2'] },
        },
      }),
    );
    assert.deepEqual(portMappings, [
      { hostPort: 8081, containerPort: 80, protocol: 'tcp', hostIP: '192.0.2.1' },
    ]);
    assert.deepEqual(bandwidth, { ingress: { rate: 1000, burst: 2_000_000 }, egress: undefined });
    assert.deepEqual(dns, { nameservers: ['192.0.2.53'], search: ['a.test'], options: ['ndots:2'] });
  });
});

describe('formatResult', () => {
  const result = parseResult(
    {
      interfaces: [{ name: 'eth0', mac: '0A:58:0a:f4:01:02', mtu: 1400, sandbox: '/run/netns/a' }],
      ips: [
        { address: '10.244.1.2/24', gateway: '10.244.1.1', interface: 0 },
        { address: 'fd00::2/64', version: '6' },
      ],
      routes: [{ dst: '0.0.0.0/0' }],
    },
    'prevResult',
  );
  const seen = (version: (typeof CNI_VERSIONS)[number]) =>
    JSON.parse(JSON.stringify(formatResult(result, version)));

  test('0.3.1 and 0.4.0 name each address’s version; 1.1.0 alone names the MTU', () => {
    for (const version of CNI_VERSIONS) {
      const { cniVersion, ips, interfaces } = seen(version);
      assert.equal(cniVersion, version);
      assert.deepEqual(
        ips.map((ip: { version?: string }) => ip.version),
        version.startsWith('0.') ? ['4', '6'] : [undefined, undefined],
      );
      assert.equal(interfaces[0].mtu, version === '1.1.0' ? 1400 : undefined);
    }
  });

  test('property-like: what is written in any version reads as the same result', () => {
    for (const version of CNI_VERSIONS) {
      const again = parseResult(seen(version), 'prevResult');
      assert.deepEqual(again.ips, result.ips);
      assert.deepEqual(again.routes, result.routes);
    }
  });
});

describe('the socket protocol', () => {
  test('property: a request survives the frame', () => {
    const text = fc.string({ unit: 'grapheme' }).map((value) => value.replaceAll('\0', ''));
    fc.assert(
      fc.property(
        fc.dictionary(fc.stringMatching(/^[A-Z_]{1,20}$/), text),
        fc.string({ unit: 'grapheme' }),
        (variables, input) => {
          const environment = new Map(Object.entries(variables));
          assert.deepEqual(decodeRequest(encodeRequest({ environment, input })), { environment, input });
        },
      ),
    );
  });

  test('fuzz: whatever the bytes, environment and configuration, only typed errors come out', () => {
    const greeting = fc.constantFrom('podway-cni 1\n', 'podway-cni 2\n', '');
    const command = fc.constantFrom('ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION', 'x');
    const variables = command.map(
      (value) => `CNI_COMMAND=${value}\0CNI_CONTAINERID=a\0CNI_NETNS=/n\0CNI_IFNAME=e\0`,
    );
    const key = fc.constantFrom(
      'cniVersion',
      'name',
      'prevResult',
      'runtimeConfig',
      'portMappings',
      'ips',
      'interfaces',
      'dns',
      'mac',
      'x',
    );
    const json = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom('1.1.0', 'podway', null, 0, -1, 1e99, '', '10.0.0.1/24'),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(key, tie('value'), { maxKeys: 5 }),
      ),
    })).value;
    const config = fc.oneof(
      json.map((value) => JSON.stringify(value)),
      fc.string({ unit: 'binary' }),
    );
    fc.assert(
      fc.property(greeting, fc.oneof(variables, fc.string()), config, (start, middle, end) => {
        failure(() => {
          const { environment, input } = decodeRequest(Buffer.from(`${start}${middle}\0${end}`));
          const request = readRequest(environment, input);
          parseConfig(request.config);
        });
      }),
      { numRuns: 5000 },
    );
    fc.assert(
      fc.property(
        json,
        (value) =>
          void failure(() =>
            parseConfig(JSON.stringify({ ...CONFIG, prevResult: value, runtimeConfig: value })),
          ),
      ),
      { numRuns: 5000 },
    );
  });
});

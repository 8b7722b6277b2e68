import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { addressBits, familyOf, parseIp as ip, ipFromBytes } from '#ip';
import { NetlinkFormatError } from '../errors.ts';
import type { IpvsChange, IpvsDestinationSpec, IpvsService } from '../ports/ipvs.ts';
import { decodeFamily, encodeFamilyRequest } from './generic.ts';
import { decodeIpvsDestination, decodeIpvsService, encodeIpvsChange } from './ipvs.ts';
import { NetlinkWriter } from './writer.ts';

const file = (name: string) =>
  Buffer.from(
    readFileSync(`${import.meta.dirname}/testdata/${name}.hex`, 'utf8').replaceAll(/\s/g, ''),
    'hex',
  );
const encode = (change: IpvsChange) => {
  const writer = new NetlinkWriter(1);
  encodeIpvsChange(writer, change);
  return Buffer.from(writer.bytes());
};

const web: IpvsService = {
  ...{ address: ip('127.0.0.9'), port: 80, protocol: 'TCP', scheduler: 'wrr' },
  ...{ persistentSeconds: 100, persistencePrefix: 24, schedulerFlags: ['sched-1'] },
};
const dns: IpvsService = {
  ...{ address: ip('fd00:96::a'), port: 53, protocol: 'UDP', scheduler: 'rr' },
  ...{ persistentSeconds: undefined, onePacket: true },
};
const idle = { activeConnections: 0, inactiveConnections: 0, persistentConnections: 0 };

describe('what Linux 6.1 sent', () => {
  test('decodeFamily: the number of IPVS', () => {
    assert.equal(decodeFamily(file('ipvs-family')), 28);
  });
  test('decodeIpvsService: both families', () => {
    assert.deepEqual(decodeIpvsService(file('ipvs-service-v4')), web);
    assert.deepEqual(decodeIpvsService(file('ipvs-service-v6')), dns);
  });
  test('decodeIpvsDestination: one with a connection and a persistent client, and one of IPv6', () => {
    assert.deepEqual(decodeIpvsDestination(file('ipvs-destination-v4'), web), {
      ...{ address: '127.0.0.1', port: 8080, weight: 5, forwarding: 'masquerade' },
      ...{ activeConnections: 1, inactiveConnections: 0, persistentConnections: 1 },
    });
    assert.deepEqual(decodeIpvsDestination(file('ipvs-destination-v6'), dns), {
      ...{ address: 'fd00::2', port: 8080, weight: 0, forwarding: 'direct', ...idle },
    });
  });
});

describe('what Linux 6.1 took', () => {
  const v4 = '4800018006000100020000000600020006000000080003007f0000090600040000500000';
  const v6 = '80060001000a000000060002001100000014000300fd00009600000000000000000000000a0600040000350000';
  const weight = '0800030000000000080004000500000008000500000000000800060000000000';
  for (const [change, hex] of [
    [
      { op: 'add-service', service: web },
      `01010000${v4}08000600777272000c000700090000003d000000080008006400000008000900ffffff00`,
    ],
    [
      { op: 'set-service', service: dns },
      `02010000540001${v6}07000600727200000c000700040000003d00000008000800000000000800090080000000`,
    ],
    [
      {
        op: 'set-destination',
        service: web,
        destination: { address: ip('127.0.0.1'), port: 8080, weight: 5, forwarding: 'masquerade' },
      },
      `06010000${v4.replace('48', '24')}3c00028006000b0002000000080001007f000001060002001f900000${weight}`,
    ],
    [
      { op: 'delete-destination', service: dns, destination: { address: ip('fd00::2'), port: 8080 } },
      `07010000300001${v6}2800028006000b000a00000014000100fd${'00'.repeat(14)}02060002001f900000`,
    ],
  ] satisfies [IpvsChange, string][])
    test(`encodeIpvsChange: ${change.op}`, () => {
      assert.equal(encode(change).toString('hex'), hex);
    });
  test('encodeFamilyRequest', () => {
    const writer = new NetlinkWriter();
    encodeFamilyRequest(writer, 'IPVS');
    assert.equal(writer.bytes().toString('hex'), '03010000090002004950565300000000');
  });
});

describe('IPVS messages', () => {
  const plain = { noNullPrototype: true };
  const address = fc
    .oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
    .map(ipFromBytes);
  const port = fc.integer({ min: 0, max: 65535 });
  const key = fc.record({ address, port, protocol: fc.constantFrom('TCP', 'UDP', 'SCTP') }, plain);

  test('encodeIpvsChange, decodeIpvsService: every service comes back', () => {
    const service = fc
      .record(
        {
          key,
          scheduler: fc.constantFrom('rr', 'wlc', 'a-name-of-max_1'),
          seconds: fc.option(fc.integer({ min: 1, max: 4_294_967 }), { nil: undefined }),
          prefix: fc.integer({ min: 1, max: 128 }),
          flags: fc.subarray(['sched-1', 'sched-2', 'sched-3'] as const),
          onePacket: fc.boolean(),
        },
        plain,
      )
      .map(({ key, scheduler, seconds, prefix, flags, onePacket }): IpvsService => {
        const narrow = seconds !== undefined && prefix < addressBits(familyOf(key.address));
        return {
          ...{ ...key, scheduler, persistentSeconds: seconds },
          ...(narrow ? { persistencePrefix: prefix } : {}),
          ...(flags.length > 0 ? { schedulerFlags: flags } : {}),
          ...(onePacket ? { onePacket } : {}),
        };
      });
    fc.assert(
      fc.property(service, (service) =>
        assert.deepEqual(decodeIpvsService(encode({ op: 'add-service', service })), service),
      ),
    );
  });
  test('encodeIpvsChange, decodeIpvsDestination: every destination comes back', () => {
    const destination = fc.record(
      {
        ...{ address, port, weight: fc.integer({ min: 0, max: 0x7fffffff }) },
        forwarding: fc.constantFrom('masquerade', 'direct', 'tunnel', 'local'),
      },
      plain,
    );
    fc.assert(
      fc.property(key, destination, (service, destination: IpvsDestinationSpec) =>
        assert.deepEqual(
          decodeIpvsDestination(encode({ op: 'add-destination', service, destination }), service),
          { ...destination, ...idle },
        ),
      ),
    );
  });
  test('decodeIpvsService: a service by firewall mark has its family and mark', () => {
    const { scheduler, persistentSeconds } = dns;
    const key = { address: ip('::'), port: 0, protocol: 'TCP', mark: 7 } as const;
    const service = { ...key, scheduler, persistentSeconds };
    assert.deepEqual(decodeIpvsService(encode({ op: 'add-service', service })), service);
    const elsewhere = { ...service, address: ip('fd00::9'), port: 9, protocol: 'UDP' } as const;
    assert.deepEqual(decodeIpvsService(encode({ op: 'add-service', service: elsewhere })), service);
  });
  test('decodeIpvsService: one of no protocol of ours is none', () => {
    const writer = new NetlinkWriter();
    writer.raw(Uint8Array.of(1, 1, 0, 0)).nest(1, () => writer.attrU16(1, 2).attrU16(2, 50));
    assert.equal(decodeIpvsService(writer.bytes()), undefined);
  });
  test('decodeIpvsDestination: a method that is none is refused', () => {
    const bytes = encode({
      op: 'add-destination',
      service: web,
      destination: { address: web.address, port: 1, weight: 1, forwarding: 'direct' },
    });
    bytes[bytes.indexOf(Buffer.from('0800030003000000', 'hex')) + 4] = 4;
    assert.throws(() => decodeIpvsDestination(bytes, web), NetlinkFormatError);
  });
});

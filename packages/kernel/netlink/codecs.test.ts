import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { parseIp, parseMac } from '#ip';
import { parseDone, parseError } from './acknowledgement.ts';
import { decodeAddress } from './address.ts';
import { decodeConntrack } from './conntrack.ts';
import { decodeEvent } from './event.ts';
import { decodeLink, encodeNewLink } from './link.ts';
import { decodeFdbEntry, decodeNeighbour } from './neighbour.ts';
import { encodeElementBatch } from './nft-elements.ts';
import { decodeRoute, encodeRouteDelete, isClonedRoute, RTM_NEWROUTE } from './route.ts';
import { encodeSocketAddress } from './socket-address.ts';
import { NetlinkWriter } from './writer.ts';

const bytes = (hex: string) => Buffer.from(hex.replaceAll(/\s/g, ''), 'hex');
const file = (name: string) => bytes(readFileSync(`${import.meta.dirname}/testdata/${name}.hex`, 'utf8'));

describe('what Linux 6.18 sent', () => {
  test('decodeLink: a veth that is a bridge port', () => {
    assert.deepEqual(decodeLink(file('link-veth-bridge-port')), {
      ...{ index: 4, name: 'a', kind: 'veth', mac: '02:00:00:00:00:0a', mtu: 1500, up: true },
      ...{ master: 2, peerIndex: 3, alias: 'default/web', hairpin: true, flooded: true, vxlan: undefined },
    });
  });
  test('decodeLink: a vxlan device', () => {
    assert.deepEqual(decodeLink(file('link-vxlan')).vxlan, {
      ...{ vni: 42, port: 8472, local: '10.0.0.1', link: 2, learning: false },
    });
  });
  test('decodeAddress: both families', () => {
    const v4 =
      '0218800002000000080001000a000001080002000a0000010800030062723000080008008000000014000600ffffffffffffffff4fe705004fe70500';
    assert.deepEqual(decodeAddress(bytes(v4)), {
      ...{ linkIndex: 2, address: '10.0.0.1', prefixLength: 24, scope: 'global' },
    });
    const v6 =
      '0a4082000200000014000100fd00000000000000000000000000000114000600ffffffffffffffff4fe705004fe705000800080082000000';
    assert.deepEqual(decodeAddress(bytes(v6)), {
      ...{ linkIndex: 2, address: 'fd00::1', prefixLength: 64, scope: 'global', noDad: true },
    });
  });
  test('decodeRoute: metric, mtu, source and gateway', () => {
    const hex =
      '02180000fe5d00010000000008000f00fe000000080001000af4010008000600070000000c0008000800020078050000080007000a000001080005000a0000020800040002000000';
    assert.deepEqual(decodeRoute(bytes(hex)), {
      ...{
        destination: '10.244.1.0/24',
        type: 'unicast',
        gateway: '10.0.0.2',
        linkIndex: 2,
        source: '10.0.0.1',
      },
      ...{
        scope: 'universe',
        table: 254,
        metric: 7,
        mtu: 1400,
        protocol: 93,
        onlink: false,
        nexthops: undefined,
      },
    });
    assert.equal(isClonedRoute(bytes(hex)), false);
    const event = { type: RTM_NEWROUTE, flags: 0, sequence: 0, payload: bytes(hex) };
    assert.deepEqual(decodeEvent(event), { kind: 'route', change: 'new', ifindex: 2 });
  });
  test('decodeNeighbour, decodeFdbEntry', () => {
    const neighbour =
      '020000000200000080000001080001000a0000020a00020002000000000c000008000400000000001400030000000000000000000000000000000000';
    assert.deepEqual(decodeNeighbour(bytes(neighbour)), {
      ...{ linkIndex: 2, address: '10.0.0.2', mac: '02:00:00:00:00:0c', state: 'permanent' },
    });
    const fdb =
      '0700000005000000800002010a00020002000000000c0000080001000a0000021400030000000000000000000000000000000000';
    assert.deepEqual(decodeFdbEntry(bytes(fdb)), {
      linkIndex: 5,
      mac: '02:00:00:00:00:0c',
      destination: '10.0.0.2',
    });
    assert.equal(decodeFdbEntry(bytes(neighbour)), undefined);
  });
  test('decodeConntrack: a UDP flow', () => {
    const hex =
      '020000003400018014000180080001007f000001080002007f0000011c00028005000100110000000600020015b300000600030015b400003400028014000180080001007f000001080002007f0000011c00028005000100110000000600020015b400000600030015b300000800030000000808080008000000000008000c00aea8c6ec08000b0000000001080007000000001d';
    const flow = { source: '127.0.0.1', destination: '127.0.0.1', protocol: 17 };
    assert.deepEqual(decodeConntrack(bytes(hex)), {
      original: { ...flow, sourcePort: 5555, destinationPort: 5556 },
      reply: { ...flow, sourcePort: 5556, destinationPort: 5555 },
      ...{ mark: 0, status: 0x808, timeout: 29 },
    });
  });
  test('parseError: errno, words and offset of the extended ACK', () => {
    const hex =
      'deffffff4800000010000506090000000000000027000100417474726962757465206661696c656420706f6c6963792076616c69646174696f6e0000080002002000000014000480080007000f000000080001000b000000';
    assert.deepEqual(parseError(bytes(hex), 0x300), {
      ...{ errno: 34, detail: 'Attribute failed policy validation', offset: 32 },
    });
    assert.deepEqual(parseDone(bytes('00000000'), 2), { errno: 0, detail: undefined, offset: undefined });
    assert.equal(parseDone(bytes('fbffffff'), 2).errno, 5);
  });
});

describe('what Linux 6.18 took', () => {
  const written = (write: (writer: NetlinkWriter) => void) => {
    const writer = new NetlinkWriter(1);
    write(writer);
    return writer.bytes().toString('hex');
  };

  test('encodeNewLink: a veth pair over two namespaces', () => {
    const hex = written((writer) =>
      writer.message(16, 0x605, 1, () =>
        encodeNewLink(
          writer,
          {
            kind: 'veth',
            name: 'a',
            mtu: 1400,
            up: true,
            peer: { name: 'b', mac: parseMac('02:00:00:00:00:0b') },
          },
          { master: 2, peerNetns: 7 },
        ),
      ),
    );
    assert.equal(
      hex,
      '9c000000100005060100000000000000000000000000000001000000010000000600030061000000080004007805000008001f0001000000080020000100000008000a00020000005400128009000100766574680000000044000280400001800000000000000000000000000000000006000300620000000a00010002000000000b000008001f0001000000080020000100000008001c0007000000',
    );
  });
  test('encodeRouteDelete: what is left out matches anything', () => {
    const destination = '10.244.1.0/24' as const;
    const hex = written((writer) =>
      encodeRouteDelete(writer, { destination: destination as never }, undefined),
    );
    assert.equal(hex, '02180000fe00ff0000000000' + '080001000af40100' + '08000f00fe000000');
  });
  test('encodeElementBatch: begin, one message a run of alike changes, end; the last is acknowledged', () => {
    const writer = new NetlinkWriter();
    let sequence = 10;
    const add = { op: 'add', family: 'ip', table: 't', set: 's', key: [Uint8Array.of(0, 80)] } as const;
    const messages = encodeElementBatch(writer, [add, add, { ...add, op: 'delete' }], () => sequence++);
    assert.deepEqual(
      messages.map(({ sequence, first, starts }) => [sequence, first, starts.length]),
      [
        [11, 0, 2],
        [12, 2, 1],
      ],
    );
    const begin = '1400000010000100' + '0a00000000000000' + '0000000a';
    assert.equal(writer.bytes().toString('hex').slice(0, begin.length), begin);
    // NFT_MSG_DELSETELEM with NLM_F_ACK, its key two bytes long and padded.
    const remove =
      '380000000e0a0500' + '0c00000000000000' + '02000000' + '0600010074000000' + '0600020073000000';
    const element = '14000380' + '10000180' + '0c000180' + '0600010000500000';
    assert.ok(
      writer
        .bytes()
        .toString('hex')
        .includes(remove + element),
    );
  });
  test('encodeSocketAddress: both families, and a port that can be none', () => {
    assert.equal(
      encodeSocketAddress(parseIp('10.0.0.1'), 80).toString('hex'),
      '020000500a0000010000000000000000',
    );
    assert.equal(
      encodeSocketAddress(parseIp('fd00::1'), 443).toString('hex'),
      `0a0001bb00000000fd00${'00'.repeat(13)}0100000000`,
    );
    assert.throws(() => encodeSocketAddress(parseIp('10.0.0.1'), -1), /port: invalid value -1/);
  });
});

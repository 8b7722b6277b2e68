import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseIp } from '#ip';
import { PodwayError, seededRandom } from '#runtime';
import { parseDone, parseError } from './acknowledgement.ts';
import { decodeAddress } from './address.ts';
import { decodeConntrack } from './conntrack.ts';
import { decodeEvent } from './event.ts';
import { decodeFamily } from './generic.ts';
import { decodeIpvsDestination, decodeIpvsService } from './ipvs.ts';
import { decodeLink } from './link.ts';
import { decodeFdbEntry, decodeNeighbour } from './neighbour.ts';
import { decodeElements } from './nft-elements.ts';
import { parseMessages } from './reader.ts';
import { decodeRoute } from './route.ts';
import { decodeQdisc, decodeRedirect } from './traffic-control.ts';

const CASES = 100_000;

const testdata = (name: string) => readFileSync(`${import.meta.dirname}/testdata/${name}.hex`, 'utf8');

/** Real messages to damage: noise alone hardly gets past the first length. */
const SEEDS = [
  ...['link-veth-bridge-port', 'link-vxlan', 'ipvs-service-v6', 'ipvs-destination-v4'].map(testdata),
  '0218800002000000080001000a000001080002000a00000108000300627230000800080080000000',
  '02180000fe5d00010000000008000f00fe000000080001000af401000c00080008000200780500000800040002000000',
  '020000000200000080000001080001000a0000020a00020002000000000c0000',
  '020000003400018014000180080001007f000001080002007f0000011c00028005000100110000000600020015b300000600030015b40000',
  'deffffff48000000100005060900000000000000270001004174747269627574650008000200200000001400048008000700',
  '180000000300020001000000000000000000000000000000',
].map((hex) => Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'));

const DECODERS: readonly ((bytes: Buffer) => unknown)[] = [
  decodeLink,
  decodeAddress,
  decodeRoute,
  decodeNeighbour,
  decodeFdbEntry,
  decodeConntrack,
  decodeQdisc,
  decodeElements,
  decodeRedirect,
  decodeFamily,
  decodeIpvsService,
  (bytes) => decodeIpvsDestination(bytes, { address: parseIp('10.96.0.1'), port: 80, protocol: 'TCP' }),
  (bytes) => parseError(bytes, 0x200),
  (bytes) => parseDone(bytes, 0x200),
  parseMessages,
  (payload) => decodeEvent({ type: 16 + (payload.length % 16), flags: 0, sequence: 0, payload }),
];

test(`netlink decoders: ${CASES} damaged messages, nothing but typed errors`, (t) => {
  const random = seededRandom(20261123);
  const below = (n: number) => Math.floor(random.next() * n);
  const outcomes = { decoded: 0, refused: 0 };
  for (let i = 0; i < CASES; i++) {
    const seed = SEEDS[below(SEEDS.length)] ?? Buffer.alloc(0);
    const bytes = Buffer.from(seed.subarray(0, random.next() < 0.3 ? below(seed.length + 1) : seed.length));
    for (let damage = below(6); damage > 0 && bytes.length > 0; damage--)
      bytes[below(bytes.length)] = below(256);
    const decode = DECODERS[below(DECODERS.length)];
    try {
      decode?.(bytes);
      outcomes.decoded++;
    } catch (error) {
      if (!(error instanceof PodwayError))
        assert.fail(`${decode?.name} of ${bytes.toString('hex')}: ${error}`);
      outcomes.refused++;
    }
  }
  t.diagnostic(`${CASES} cases: ${outcomes.decoded} decoded, ${outcomes.refused} refused`);
  // Both sides are reached, or the damage is not what it should be.
  assert.ok(outcomes.decoded > CASES / 20 && outcomes.refused > CASES / 20, JSON.stringify(outcomes));
});

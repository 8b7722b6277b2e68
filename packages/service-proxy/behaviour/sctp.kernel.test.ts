import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import koffi from 'koffi';
import { type IpAddress, ipFromBytes, ipToBytes } from '#ip';
import { type NetworkNamespace, sandboxedKernel } from '#kernel';
import type { ProxyMechanism } from '../backends/mechanisms.ts';
import { CLUSTER_IP, PODS, SERVICE_PORT, service, slice, TARGET_PORT } from './cluster.ts';
import { NamespaceLab } from './namespace-lab.ts';
import { NamespaceWorld } from './namespace-world.ts';
import { testedMechanism } from './tested-mechanism.ts';

const IPPROTO_SCTP = 132;
const MSG_DONTWAIT = 0x40;
const ECONNREFUSED = 111;
const ANSWER_MS = 30_000;
const CLIENT_PORT = 4_000;

/** Works where the kernel has no SCTP sockets: packets are made and read by hand. */
for (const mechanism of ['nftables', 'iptables'] as const)
  describe(`SCTP, by raw packets, ${mechanism}`, () => describeSctp(mechanism));

function describeSctp(mechanism: ProxyMechanism): void {
  const kernel = sandboxedKernel();
  const libc = koffi.load(null);
  const socket = libc.func('int socket(int, int, int)');
  const connect = libc.func('int connect(int, void *, uint)');
  const send = libc.func('intptr_t send(int, void *, size_t, int)');
  const recv = libc.func('intptr_t recv(int, void *, size_t, int)');
  const close = libc.func('int close(int)');
  let lab: NamespaceLab;
  let world: NamespaceWorld;
  before(async () => {
    lab = new NamespaceLab(kernel);
    await lab.serve(); // so that neighbours know each other
    world = new NamespaceWorld(lab, testedMechanism(mechanism).create);
  });
  after(async () => {
    await world[Symbol.asyncDispose]();
    await lab[Symbol.asyncDispose]();
  });

  const podNetns = (name: 'a' | 'b') => kernel.openNetns(`/run/netns/behaviour-${name}`);
  const rawSocket = (netns: NetworkNamespace): number => {
    const fd = netns.run(() => Number(socket(2, 3, IPPROTO_SCTP)));
    assert.ok(fd >= 0, `socket: errno ${koffi.errno()}`);
    return fd;
  };
  /** What comes: bytes, an errno, or nothing. */
  const receive = async (fd: number): Promise<Buffer | number | undefined> => {
    const buffer = Buffer.alloc(2048);
    for (const end = performance.now() + ANSWER_MS; performance.now() < end; ) {
      const length = Number(recv(fd, buffer, buffer.length, MSG_DONTWAIT));
      if (length >= 0) return buffer.subarray(0, length);
      if (koffi.errno() === ECONNREFUSED) return ECONNREFUSED;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return undefined;
  };
  const ask = (from: number, to: IpAddress, port = CLIENT_PORT) => {
    const address = Buffer.from([2, 0, 0, 0, ...ipToBytes(to), ...new Uint8Array(8)]);
    assert.equal(connect(from, address, address.length), 0);
    const packet = initiation(port, SERVICE_PORT);
    assert.equal(Number(send(from, packet, packet.length, 0)), packet.length);
  };

  const ports = (port: number) => [{ name: 'main', protocol: 'SCTP', port }];

  test('a first packet to the cluster IP reaches the endpoint on its port, whole and with the client’s address', async () => {
    await world.program({
      services: [service({ ports: ports(SERVICE_PORT) })],
      slices: [slice(['b'], { ports: ports(TARGET_PORT) })],
      expect: [],
    });
    const [client, server] = [rawSocket(podNetns('a')), rawSocket(podNetns('b'))];
    ask(client, CLUSTER_IP);
    const packet = await receive(server);
    assert.ok(Buffer.isBuffer(packet), 'nothing came');
    assert.equal(ipFromBytes(packet.subarray(12, 16)), PODS.a);
    assert.equal(ipFromBytes(packet.subarray(16, 20)), PODS.b);
    assert.deepEqual(packet.subarray(20), initiation(CLIENT_PORT, TARGET_PORT));
    close(client);
    close(server);
  });

  test('without endpoints it is refused', async () => {
    await world.program({ services: [service({ ports: ports(SERVICE_PORT) })], slices: [], expect: [] });
    const client = rawSocket(podNetns('a'));
    ask(client, CLUSTER_IP, CLIENT_PORT + 1);
    assert.equal(await receive(client), ECONNREFUSED);
    close(client);
  });
}

/** An INIT chunk (RFC 9260, section 3.3.2) with its checksum. */
function initiation(source: number, destination: number): Buffer {
  const packet = Buffer.alloc(32);
  packet.writeUInt16BE(source, 0);
  packet.writeUInt16BE(destination, 2);
  packet.writeUInt8(1, 12); // INIT
  packet.writeUInt16BE(20, 14); // its length
  packet.writeUInt32BE(7, 16); // initiate tag
  packet.writeUInt32BE(65_536, 20); // receiver window
  packet.writeUInt16BE(1, 24); // outbound streams
  packet.writeUInt16BE(1, 26); // inbound streams
  packet.writeUInt32BE(7, 28); // initial sequence number
  packet.writeUInt32LE(crc32c(packet), 8);
  return packet;
}

/** Castagnoli's CRC (RFC 9260, appendix A). */
function crc32c(bytes: Buffer): number {
  let crc = 0xff_ff_ff_ff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82_f6_3b_78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

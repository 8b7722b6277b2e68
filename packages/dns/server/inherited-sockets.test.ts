import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import test from 'node:test';
import { parseIp } from '#ip';
import { MemoryInformer } from '#kube-client';
import { systemClock, systemRandom } from '#runtime';
import { encodeMessage, queryMessage } from '../wire/index.ts';
import { createDnsServer } from './dns-server.ts';
import {
  describeSocket,
  type InheritedSocket,
  inheritedDescriptors,
  takeInheritedSockets,
} from './inherited-sockets.ts';
import { duplicate } from './socket-calls.ts';

for (const [environment, expected] of [
  [{ LISTEN_PID: '7', LISTEN_FDS: '2' }, [3, 4]],
  [{ LISTEN_PID: '8', LISTEN_FDS: '2' }, []],
  [{ LISTEN_FDS: '2' }, []],
  [{ LISTEN_PID: '7' }, []],
  [{ LISTEN_PID: '7', LISTEN_FDS: '-1' }, []],
  [{ LISTEN_PID: '7', LISTEN_FDS: '99999' }, []],
] as const)
  test(`inheritedDescriptors: ${JSON.stringify(environment)} hands process 7 ${JSON.stringify(expected)}`, () => {
    assert.deepEqual(inheritedDescriptors(environment, 7), expected);
  });

test('takeInheritedSockets: takes the variables out of the environment, another process’s as well', () => {
  const environment = { LISTEN_PID: '1', LISTEN_FDS: '1', LISTEN_FDNAMES: 'dns', HOME: '/' };
  assert.deepEqual(takeInheritedSockets(environment, 2), []);
  assert.deepEqual(environment, { HOME: '/' });
});

/** The descriptor that a server or socket of Node has; Node has no public name for it. */
function descriptorOf(owner: object): number {
  for (const symbol of Object.getOwnPropertySymbols(owner)) {
    const { handle } = (Reflect.get(owner, symbol) ?? {}) as { handle?: { fd?: number } };
    if (handle?.fd !== undefined) return handle.fd;
  }
  const { fd } = Reflect.get(owner, '_handle') as { readonly fd: number };
  return fd;
}

/** A UDP and a TCP socket on one port of the loopback, kept open by the test as a service manager does. */
async function boundSockets(host: '127.0.0.1' | '::1') {
  const udp = createSocket(host === '::1' ? 'udp6' : 'udp4');
  udp.bind(0, host);
  await once(udp, 'listening');
  const { port } = udp.address();
  const tcp = createServer();
  tcp.listen(port, host);
  await once(tcp, 'listening');
  // Duplicates, which Node does not read from.
  const fds = [duplicate(descriptorOf(udp)), duplicate(descriptorOf(tcp))];
  await Promise.all([
    new Promise<void>((closed) => udp.close(closed)),
    new Promise<void>((closed) => tcp.close(() => closed())),
  ]);
  return {
    port,
    sockets: fds.map(describeSocket).filter((each): each is InheritedSocket => each !== undefined),
  };
}

for (const host of ['127.0.0.1', '::1'] as const) {
  test(`describeSocket: tells UDP from TCP, and where they are bound, ${host}`, async () => {
    const { port, sockets } = await boundSockets(host);
    assert.deepEqual(
      sockets.map(({ transport, address, port }) => ({ transport, address, port })),
      [
        { transport: 'udp', address: host, port },
        { transport: 'tcp', address: host, port },
      ],
    );
    assert.equal(describeSocket(0x7fff), undefined);
  });

  test(`createDnsServer: a query sent while no server runs is answered by the next one, ${host}`, async () => {
    const { port, sockets } = await boundSockets(host);
    const start = () =>
      createDnsServer({
        services: new MemoryInformer([]),
        endpointSlices: new MemoryInformer([]),
        listen: [{ address: parseIp(host), port }],
        inherited: sockets,
        clock: systemClock,
        random: systemRandom,
      });
    await (await start())[Symbol.asyncDispose]();

    const query = encodeMessage(
      queryMessage(99, { name: 'dns-version.cluster.local', typeCode: 16, class: 1 }),
    );
    const client = createSocket(host === '::1' ? 'udp6' : 'udp4');
    client.send(query, port, host);
    const stream = connect(port, host);
    await once(stream, 'connect');
    stream.write(Buffer.concat([Buffer.from([0, query.length]), query]));

    const replies = Promise.all([once(client, 'message'), once(stream, 'data')]);
    await using _server = await start();
    const [[datagram], [frame]] = (await replies) as [[Buffer], [Buffer]];
    assert.equal(datagram.readUInt16BE(0), 99);
    assert.equal(frame.readUInt16BE(2), 99);
    client.close();
    stream.destroy();
  });
}

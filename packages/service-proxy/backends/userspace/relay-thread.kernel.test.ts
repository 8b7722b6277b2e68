import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { after, afterEach, before, beforeEach, describe, type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { bindIn, connectIn, type NetworkNamespace, sandboxedKernel } from '#kernel';
import { createLogger, eventually, type LogRecord, systemClock } from '#runtime';
import {
  CLUSTER_IP,
  FACTS,
  PODS,
  SERVICE_PORT,
  service,
  slice,
  TARGET_PORT,
} from '../../behaviour/cluster.ts';
import { buildTable } from '../../table/table.ts';
import { UserspaceBackend } from './backend.ts';
import { relayed } from './relay-messages.ts';
import { RelayThread } from './relay-thread.ts';

/** A client on a thread of its own, which says "ping" through the Service and counts the answers in shared memory. */
const CLIENT = `
const { workerData: { counted, target, port } } = require('node:worker_threads');
const socket = require('node:net').connect(port, target, () => socket.write('ping'));
socket.on('data', () => {
  Atomics.add(counted, 0, 1);
  Atomics.notify(counted, 0);
  socket.write('ping');
});
socket.on('error', () => {}); // the end of the test
`;
/** An endpoint on a thread of its own. */
const ECHO = `
const { parentPort, workerData: fd } = require('node:worker_threads');
require('node:net').createServer((socket) => socket.pipe(socket).on('error', () => {})).listen({ fd }, () => parentPort.postMessage('up'));
`;

describe('RelayThread', () => {
  const kernel = sandboxedKernel();
  let node: NetworkNamespace;
  before(() => {
    node = kernel.createNetns('/run/netns/relay-thread');
    node.links.set('lo', { up: true });
    node.addresses.add({ link: 'lo', address: PODS.c, prefixLength: 32 });
  });
  after(() => {
    node[Symbol.dispose]();
    kernel.deleteNetns('/run/netns/relay-thread');
  });

  const records: LogRecord[] = [];
  let thread: RelayThread;
  let backend: UserspaceBackend;
  const begin = () => {
    records.length = 0;
    const logger = createLogger((record) => void records.push(record));
    backend = new UserspaceBackend({
      ...{ netns: node, clock: systemClock, logger },
      createRelay: (deps) => {
        thread = new RelayThread(deps);
        return thread;
      },
    });
  };
  beforeEach(begin);
  afterEach(async () => {
    await backend.cleanup();
    await backend[Symbol.asyncDispose]();
  });
  const endpointSocket = () => bindIn(node, { protocol: 'tcp', address: PODS.c, port: TARGET_PORT });
  const serve = () => backend.apply(buildTable([service()], [slice(['c'])], FACTS), []);

  const startEcho = async (t: TestContext) => {
    const echo = new Worker(ECHO, { eval: true, workerData: endpointSocket() });
    t.after(() => echo.terminate());
    await once(echo, 'message');
  };
  const startClient = async (t: TestContext) => {
    const counted = new Int32Array(new SharedArrayBuffer(4));
    const workerData = { counted, target: CLUSTER_IP, port: SERVICE_PORT };
    const client = node.run(() => new Worker(CLIENT, { eval: true, workerData }));
    t.after(() => client.terminate());
    await once(client, 'online');
    return { client, counted };
  };

  test('connections notice nothing while the thread that decides is busy', async (t) => {
    await startEcho(t);
    await serve();
    const { counted } = await startClient(t);
    // From here on this thread does nothing at all but wait.
    const answers = 200;
    const deadline = performance.now() + 60_000;
    for (let seen = 0; seen < answers; seen = Atomics.load(counted, 0)) {
      assert.ok(performance.now() < deadline, `${seen} of ${answers} answers while this thread was busy`);
      Atomics.wait(counted, 0, seen, 1_000);
    }
  });

  test('it ends in the midst of traffic, and the process goes on', async (t) => {
    await startEcho(t);
    for (let round = 0; round < 4; round++) {
      await serve();
      const { client, counted } = await startClient(t);
      await eventually('traffic', () => Atomics.load(counted, 0) > 0);
      await backend[Symbol.asyncDispose]();
      await client.terminate();
      begin();
    }
  });

  test('a thread that dies is followed by another with the whole table; its connections are reset; the log says so', async (t) => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket.on('error', () => {}));
      socket.pipe(socket);
    }).listen({ fd: endpointSocket() });
    t.after(() => server.close());
    await serve();
    const connect = async () => {
      const socket = await connectIn(node, CLUSTER_IP, SERVICE_PORT, { signal: AbortSignal.timeout(30_000) });
      t.after(() => {
        for (const each of [socket, ...sockets]) each.destroy();
      });
      return socket.on('error', () => {});
    };
    const echo = async (socket: Socket) => {
      socket.write('hello');
      return String((await once(socket, 'data'))[0]);
    };
    const first = await connect();
    assert.equal(await echo(first), 'hello');
    const failed = once(first, 'error');
    // Nothing is open there: the thread has an error that nobody has foreseen.
    const [frontend] = buildTable([service()], [], FACTS).services.get('default/web')?.frontends ?? [];
    assert.ok(frontend !== undefined);
    await thread.send([{ kind: 'listen', fd: 2 ** 20 - 1, frontend: { ...relayed(frontend), port: 1 } }]);
    assert.match(String(await failed), /ECONNRESET/);
    const second = await connect();
    assert.equal(await echo(second), 'hello');
    assert.deepEqual(
      records.map(({ level, message }) => `${level} ${message}`),
      ['warn the relay has died, and its connections with it: another one begins'],
    );
    assert.match(String(records[0]?.fields['error']), /EBADF/);
  });
});

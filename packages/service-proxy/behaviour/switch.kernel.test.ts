import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { bindIn, connectIn, sandboxedKernel } from '#kernel';
import type { EndpointSlice, Service } from '#kube-api';
import { MemoryInformer } from '#kube-client';
import { silentLogger, systemClock } from '#runtime';
import type { ProxyBackend } from '../backend.ts';
import { DEFAULT_IPVS_OPTIONS } from '../backends/ipvs/options.ts';
import { createBackend, PROXY_MECHANISMS, type ProxyMechanism } from '../backends/mechanisms.ts';
import type { ServiceProxy } from '../proxy.ts';
import { AT_CLUSTER_IP, AT_NODE_PORT, type Client, type Place, place } from './case.ts';
import { CLUSTER_IP, NODE_ADDRESS, NODE_PORT, PODS, service, slice, TCP_PORT } from './cluster.ts';
import { createLabProxy } from './lab-proxy.ts';
import { NamespaceLab } from './namespace-lab.ts';

const ECHO_PORT = 7_000;
const ECHO_NODE_PORT = 30_007;
const ECHO_TARGET = 9_007;
/** In a virtual machine (test/vm). */
const SLOW = process.env['PODWAY_TEST_VM'] !== undefined;
/** Connections of each client before the switch, and after it, at least. */
const SOME = SLOW ? 2 : 5;
/** Connections go on for so long after the switch, milliseconds. */
const AFTER_MS = SLOW ? 1_500 : 300;
/**
 * Here one process is the agent, the clients and the servers: in the virtual machine, nobody answers while rules are written. Elsewhere less
 * than the second after which TCP sends a lost packet again, and as much as a busy machine needs.
 */
const ANSWER_MS = SLOW ? 3_000 : 800;

/** A client's first packet is sent again after one second and after three. */
const PATIENCE_MS = 10_000;
const KNOCK_MS = 25;

const NO_GAP = 'no new connection fails, established ones go on';
/** A relay ends with its process, and what goes through it too. */
const WITH_A_PROCESS = 'until the other serves clients that come by a link to a cluster IP wait';
/**
 * What new connections see meanwhile: nothing, and a client that is as patient as TCP is served by its next packet; the node's own processes
 * an error at once, or nothing when routers have sent many such errors; node ports, which are the node's address and cannot vanish, nothing and
 * then a refusal.
 */
const GAP = { pod: ['silence'], node: ['unreachable', 'silence'], nodePort: ['silence', 'refused'] };

/** Why a switch cannot be one without loss. */
function cannot(from: ProxyMechanism, to: ProxyMechanism): string | undefined {
  return from === 'ipvs' && to === 'userspace'
    ? 'IPVS comes before the relay’s sockets, so that what is under way through it is cut (docs/operate/proxy-modes.md)'
    : undefined;
}

/** A mechanism that carries established connections to their end, as IPVS does, gives up after this long, milliseconds. */
const GRACE_MS = 2_000;
const GONE_WITHIN_MS = 15_000;

const kernel = sandboxedKernel();
const lacking = new Map<ProxyMechanism, string>();
const here = kernel.currentNetns();
here.links.set('lo', { up: true }); // as it is on a node
for (const name of PROXY_MECHANISMS) {
  await using backend = create(name, here);
  const missing = await backend.probe();
  if (missing.length > 0) lacking.set(name, `${name}: ${missing.join('; ')}`);
}

function create(name: ProxyMechanism, netns: ReturnType<typeof kernel.currentNetns>): ProxyBackend {
  const ipvs = { ...DEFAULT_IPVS_OPTIONS, gracePeriodMs: GRACE_MS };
  return createBackend(name, { netns, clock: systemClock, logger: silentLogger, ipvs });
}

/** The virtual machine is there for IPVS: the host shows the others. */
const isShownHere = (...mechanisms: readonly ProxyMechanism[]) => !SLOW || mechanisms.includes('ipvs');

/** An agent's restart with another `--proxy`, while clients connect all the time and one connection of each kind stays open. */
describe('a switch of mechanisms under traffic', () => {
  const web = service({
    type: 'NodePort',
    ports: [
      { ...TCP_PORT, nodePort: NODE_PORT },
      { name: 'echo', port: ECHO_PORT, protocol: 'TCP', nodePort: ECHO_NODE_PORT },
    ],
  });
  const slices = [
    slice(['b', 'c']),
    slice(['c'], { name: 'web-2', ports: [{ name: 'echo', port: ECHO_TARGET, protocol: 'TCP' }] }),
  ];
  let lab: NamespaceLab;
  const echoing = new Set<Socket>();
  const echo = createServer((socket) => {
    echoing.add(socket);
    socket.on('error', () => {}).pipe(socket);
  });
  before(async () => {
    lab = new NamespaceLab(kernel, 'IPv4', ANSWER_MS);
    await lab.serve();
    // As the agent's own masquerading: while nobody translates anything, the kernel tracks no connections and forgets what it had decided.
    await lab.node.nft.run(
      [
        'add table ip others',
        'add chain ip others c { type nat hook postrouting priority 100; }',
        'add rule ip others c ip daddr 192.0.2.1 masquerade\n',
      ].join('\n'),
    );
    using netns = kernel.openNetns('/run/netns/behaviour-c');
    echo.listen({ fd: bindIn(netns, { protocol: 'tcp', address: PODS.c, port: ECHO_TARGET }) });
    await once(echo, 'listening');
  });
  after(async () => {
    echo.close();
    for (const socket of echoing) socket.destroy();
    await lab[Symbol.asyncDispose]();
  });

  /** As the agent runs it. */
  function serve(mechanism: ProxyMechanism): { readonly proxy: ServiceProxy; end(): Promise<void> } {
    const stack = new AsyncDisposableStack();
    const backend = stack.use(create(mechanism, lab.node));
    const predecessors = PROXY_MECHANISMS.filter((other) => other !== mechanism).map((other) =>
      stack.use(create(other, lab.node)),
    );
    const proxy = stack.use(
      createLabProxy(
        lab,
        {
          services: new MemoryInformer<Service>([web]),
          endpointSlices: new MemoryInformer<EndpointSlice>(slices),
          ...{ backend, predecessors },
        },
        { checkMs: 50 },
      ),
    );
    return { proxy, end: () => stack.disposeAsync() };
  }

  async function open(from: Client, to: Place, patienceMs = ANSWER_MS): Promise<Socket> {
    using netns = kernel.openNetns(`/run/netns/behaviour-${from}`);
    const signal = AbortSignal.timeout(patienceMs);
    return (await connectIn(netns, to.address, to.port, { signal })).on('error', () => {});
  }
  async function isAlive(socket: Socket): Promise<boolean> {
    const answer = once(socket, 'data', { signal: AbortSignal.timeout(1_000) });
    socket.write('still there?');
    return await answer.then(
      ([data]) => String(data) === 'still there?',
      () => false,
    );
  }
  /** Clients by a link that keep trying as TCP does, from now on until told to end. @returns what went wrong */
  function keepKnocking(from: Client, to: Place) {
    const attempts: Promise<string>[] = [];
    const knock = async () => {
      (await open(from, to, PATIENCE_MS)).destroy();
      return 'connected';
    };
    const timer = setInterval(() => attempts.push(knock().catch(String)), KNOCK_MS);
    return async () => {
      clearInterval(timer);
      return (await Promise.all(attempts)).filter((outcome) => outcome !== 'connected');
    };
  }
  /** Connects one after the other until told to end. */
  function keepConnecting(from: Client, to: Place, wanted: readonly string[]) {
    let going = true;
    const wrong: string[] = [];
    let count = 0;
    let onAttempt = () => {};
    const done = (async () => {
      while (going) {
        // A refusal by the own node comes at once: others must have their turn.
        await new Promise(setImmediate);
        const outcome = await lab.attempt(from, to).catch(String);
        if (!wanted.includes(outcome)) wrong.push(`${from} -> ${to.address}:${to.port}: ${outcome}`);
        count++;
        onAttempt();
      }
    })();
    return {
      /** Resolves after so many more attempts. */
      async attempts(more: number): Promise<void> {
        for (const end = count + more; count < end; )
          await new Promise<void>((resolve) => {
            onAttempt = resolve;
          });
      },
      /** @returns what went wrong */
      async end(): Promise<readonly string[]> {
        going = false;
        await done;
        return wrong;
      },
    };
  }

  for (const from of PROXY_MECHANISMS)
    for (const to of PROXY_MECHANISMS.filter((other) => other !== from && isShownHere(from, other)))
      test(`${from} to ${to}: ${from === 'userspace' ? WITH_A_PROCESS : NO_GAP}, nothing of ${from} is left`, {
        skip: lacking.get(from) ?? lacking.get(to) ?? cannot(from, to) ?? false,
      }, async () => {
        const gap = from === 'userspace' ? GAP : { pod: [], node: [], nodePort: [] };
        const replaced = ['b replaced', 'c replaced'];
        const first = serve(from);
        await first.proxy.settled();
        const opened = [
          await open('a', place(CLUSTER_IP, ECHO_PORT)),
          await open('outside', place(NODE_ADDRESS, ECHO_NODE_PORT)),
        ];
        for (const socket of opened) assert.ok(await isAlive(socket), 'before the switch');
        const clients = [
          keepConnecting('a', AT_CLUSTER_IP, ['b kept', 'c kept', ...replaced, ...gap.pod]),
          keepConnecting('node', AT_CLUSTER_IP, ['b', 'c', ...gap.node]),
          keepConnecting('outside', AT_NODE_PORT, [...replaced, ...gap.nodePort]),
        ];
        const knocking = keepKnocking('a', AT_CLUSTER_IP);
        for (const client of clients) await client.attempts(SOME);
        await first.end();
        const second = serve(to);
        try {
          await second.proxy.settled();
          assert.deepEqual(await knocking(), []);
          await new Promise((resolve) => setTimeout(resolve, AFTER_MS));
          for (const socket of opened)
            assert.equal(await isAlive(socket), from !== 'userspace', 'after the switch');
          for (const client of clients) {
            await client.attempts(SOME);
            assert.deepEqual(await client.end(), []);
          }
          await using old = create(from, lab.node);
          for (const end = performance.now() + GONE_WITHIN_MS; (await old.observe()).frontends.size > 0; ) {
            assert.ok(performance.now() < end, `${from} is still there`);
            await new Promise((resolve) => setTimeout(resolve, 500));
          }
        } finally {
          await knocking();
          for (const client of clients) await client.end();
          for (const socket of opened) socket.destroy();
          await second.end();
          await using backend = create(to, lab.node);
          await backend.cleanup();
        }
      });
});

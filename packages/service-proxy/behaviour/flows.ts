import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { bindIn, connectIn } from '#kernel';
import type { Service } from '#kube-api';
import { AT_BALANCER, AT_CLUSTER_IP, AT_NODE_PORT, type Client, type Place, udp } from './case.ts';
import {
  balancedService,
  CLUSTER_IP,
  endpoint,
  NODE_ADDRESS,
  NODE_PORT,
  PODS,
  type PodName,
  SERVICE_PORT,
  service,
  slice,
  TCP_TARGET,
  TERMINATING,
  UDP_PORT,
  UDP_TARGET,
} from './cluster.ts';
import { expectedOutcome } from './expected-outcome.ts';
import { LabCluster } from './lab-cluster.ts';
import { describeInLab } from './lab-suite.ts';
import { SILENCE_MS } from './namespace-lab.ts';
import type { TestedMechanism } from './tested-mechanism.ts';

/** Where connections stay open. */
const ECHO_PORT = 9090;

/** A client that keeps its UDP socket must follow the Service through every change, and stay where it is when it may. */
export function describeFlows(mechanism: TestedMechanism): void {
  describeInLab(`${mechanism.name}, flows through a Service`, mechanism, 'IPv4', ({ lab, shown }) => {
    const dns = service({ ports: [UDP_PORT] });
    const exposed = service({ type: 'NodePort', ports: [{ ...UDP_PORT, nodePort: NODE_PORT }] });
    const on = (...endpoints: Parameters<typeof slice>[0]) => slice(endpoints, { ports: [UDP_TARGET] });
    /** Follows the Service with Pod b as its endpoint. */
    const started = async (of: Service) => {
      await using unlessStarted = new AsyncDisposableStack();
      const cluster = unlessStarted.use(new LabCluster(lab(), mechanism));
      await cluster.change(() => {
        cluster.services.set(of);
        cluster.slices.set(on('b'));
      });
      unlessStarted.move();
      return cluster;
    };
    /** A UDP flow that goes to the Pod now. */
    const flowTo = async (pod: PodName, from: Client, to: Place) => {
      using unlessThere = new DisposableStack();
      const flow = unlessThere.use(lab().udpFlow(from, to));
      assert.equal(await flow.ask(), pod);
      unlessThere.move();
      return flow;
    };
    const clusterIP = udp(AT_CLUSTER_IP);
    const nodePort = udp(AT_NODE_PORT);

    shown('the endpoint goes and another is there: the flow moves', async () => {
      await using cluster = await started(dns);
      using flow = await flowTo('b', 'a', clusterIP);
      await cluster.change(() => cluster.slices.set(on('c')));
      assert.equal(await flow.ask(), 'c');
    });

    shown('more endpoints come: the flow stays', async () => {
      await using cluster = await started(dns);
      using flow = await flowTo('b', 'a', clusterIP);
      await cluster.change(() => cluster.slices.set(on('b', 'c', 'd')));
      for (let i = 0; i < 5; i++) assert.equal(await flow.ask(), 'b');
    });

    shown('the last endpoint goes, a new one comes', async () => {
      await using cluster = await started(dns);
      using flow = await flowTo('b', 'a', clusterIP);
      await cluster.change(() => cluster.slices.set(on()));
      assert.notEqual(await flow.ask(SILENCE_MS), 'b');
      await cluster.change(() => cluster.slices.set(on('d')));
      assert.equal(await flow.ask(), 'd');
    });

    shown('a flow from before the Service had endpoints finds them', async () => {
      await using cluster = new LabCluster(lab(), mechanism);
      using flow = lab().udpFlow('a', clusterIP);
      await flow.ask(SILENCE_MS); // nobody is there, the packet is routed away and tracked
      await cluster.change(() => {
        cluster.services.set(dns);
        cluster.slices.set(on('b'));
      });
      assert.equal(await flow.ask(), 'b');
    });

    shown(
      'the endpoint terminates: a flow to it goes on while it serves, and moves when it is gone',
      async () => {
        await using cluster = await started(dns);
        using flow = await flowTo('b', 'a', clusterIP);
        await cluster.change(() => cluster.slices.set(on(endpoint('b', { conditions: TERMINATING }), 'c')));
        assert.equal(await flow.ask(), 'b');
        using fresh = lab().udpFlow('a', clusterIP);
        assert.equal(await fresh.ask(), 'c');
        await cluster.change(() => cluster.slices.set(on('c')));
        assert.equal(await flow.ask(), 'c');
      },
    );

    shown('the Service is deleted: its flows end', async () => {
      await using cluster = await started(dns);
      using flow = await flowTo('b', 'a', clusterIP);
      await cluster.change(() => {
        cluster.services.delete(dns);
        cluster.slices.delete(on());
      });
      assert.notEqual(await flow.ask(SILENCE_MS), 'b');
    });

    shown('NodePort: the flow of an outside client moves, and ends with the port', async () => {
      await using cluster = await started(exposed);
      using flow = await flowTo('b', 'outside', nodePort);
      await cluster.change(() => cluster.slices.set(on('c')));
      assert.equal(await flow.ask(), 'c');
      await cluster.change(() => cluster.services.set(dns));
      assert.notEqual(await flow.ask(SILENCE_MS), 'c');
    });

    shown('load balancer: the flow of an outside client moves, and ends with the address', async () => {
      const balanced = balancedService({ ports: [UDP_PORT] });
      await using cluster = await started(balanced);
      using flow = await flowTo('b', 'outside', udp(AT_BALANCER));
      await cluster.change(() => cluster.slices.set(on('b', 'c')));
      assert.equal(await flow.ask(), 'b');
      await cluster.change(() => cluster.slices.set(on('c')));
      assert.equal(await flow.ask(), 'c');
      await cluster.change(() => cluster.services.set({ ...balanced, status: { loadBalancer: {} } }));
      assert.notEqual(await flow.ask(SILENCE_MS), 'c');
    });

    shown('TCP: a connection goes on while its endpoint terminates, and new ones go elsewhere', async () => {
      const tcp = [{ ...TCP_TARGET, port: ECHO_PORT }];
      const echo = createServer((socket) => void socket.on('error', () => {}).pipe(socket));
      echo.listen({
        fd: bindIn(lab().pod('b'), { protocol: 'tcp', address: PODS.b, port: ECHO_PORT }),
      });
      using _echo = { [Symbol.dispose]: () => void echo.close() };
      await using cluster = new LabCluster(lab(), mechanism);
      await cluster.change(() => {
        cluster.services.set(service());
        cluster.slices.set(slice(['b'], { ports: tcp }));
      });
      const socket = await connectIn(lab().pod('a'), CLUSTER_IP, SERVICE_PORT, {
        signal: AbortSignal.timeout(30_000),
      });
      using _socket = { [Symbol.dispose]: () => void socket.destroy() };
      const says = async (text: string) => {
        socket.write(text);
        const [answer] = await once(socket, 'data', { signal: AbortSignal.timeout(30_000) });
        assert.equal(String(answer), text);
      };
      await says('while it is ready');
      const leaving = endpoint('b', { conditions: TERMINATING });
      await cluster.change(() => {
        cluster.slices.set(slice([leaving], { ports: tcp }));
        cluster.slices.set(slice(['c'], { name: 'web-2' }));
      });
      await says('while it terminates');
      assert.equal(await lab().attempt('a', AT_CLUSTER_IP), expectedOutcome(mechanism, 'c kept'));
      await says('after others have gone elsewhere');
    });

    shown('restart: flows to endpoints that left meanwhile move, the others are not touched', async () => {
      await using cluster = await started(exposed);
      using flow = await flowTo('b', 'a', clusterIP);
      using outside = await flowTo('b', 'outside', nodePort);
      await cluster.restart(() => cluster.slices.set(on('b', 'c')));
      assert.equal(await flow.ask(), 'b');
      await cluster.restart(() => cluster.slices.set(on('c')));
      assert.equal(await flow.ask(), 'c');
      await cluster.restart(() => cluster.services.set(dns));
      assert.equal(await flow.ask(), 'c');
      assert.notEqual(await outside.ask(SILENCE_MS), 'c');
    });

    shown('a flow past the Services is left alone', async () => {
      await using cluster = await started(dns);
      using direct = lab().udpFlow('a', { address: NODE_ADDRESS, port: 9, protocol: 'UDP' });
      await direct.ask(SILENCE_MS);
      const tracked = async () =>
        (await lab().node.conntrack.list({ protocol: 17 })).filter(
          ({ original }) => original.destinationPort === 9,
        ).length;
      const before = await tracked();
      assert.equal(before, 1);
      await cluster.change(() => cluster.slices.set(on('c')));
      assert.equal(await tracked(), before);
    });
  });
}

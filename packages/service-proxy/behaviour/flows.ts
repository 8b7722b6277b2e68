import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { bindIn, connectIn, linuxKernel } from '#kernel';
import type { EndpointSlice, Node, Service } from '#kube-api';
import { MemoryInformer } from '#kube-client';
import { silentLogger } from '#runtime';
import { createServiceProxy, type ServiceProxy } from '../proxy.ts';
import { AT_BALANCER, AT_CLUSTER_IP, AT_NODE_PORT, udp } from './case.ts';
import {
  balancedService,
  CLUSTER_IP,
  endpoint,
  FACTS,
  NODE_ADDRESS,
  NODE_PORT,
  PODS,
  SERVICE_PORT,
  service,
  slice,
  TARGET_PORT,
  TERMINATING,
} from './cluster.ts';
import { expectedOutcome } from './expected-outcome.ts';
import { NamespaceLab } from './namespace-lab.ts';
import type { TestedMechanism } from './tested-mechanism.ts';

/** Where connections stay open. */
const ECHO_PORT = 9090;

/** A client that keeps its UDP socket must follow the Service through every change, and stay where it is when it may. */
export function describeFlows(mechanism: TestedMechanism): void {
  describe(`${mechanism.name}, flows through a Service`, () => {
    const shown = (name: string, run: () => Promise<void>) =>
      test(name, { skip: mechanism.skip?.(name, 'IPv4') ?? false }, run);
    let lab: NamespaceLab;
    before(async () => {
      lab = new NamespaceLab(linuxKernel());
      await lab.serve();
    });
    after(() => lab[Symbol.asyncDispose]());

    const node: Node = {
      metadata: { name: 'node1' },
      spec: { podCIDRs: ['10.244.1.0/24'] },
      status: { addresses: [{ type: 'InternalIP', address: NODE_ADDRESS }] },
    };
    const dns = service({ ports: [{ name: 'main', port: SERVICE_PORT, protocol: 'UDP' }] });
    const exposed = service({
      type: 'NodePort',
      ports: [{ name: 'main', port: SERVICE_PORT, protocol: 'UDP', nodePort: NODE_PORT }],
    });
    const ports = [{ name: 'main', port: TARGET_PORT, protocol: 'UDP' }];
    const on = (...endpoints: Parameters<typeof slice>[0]) => slice(endpoints, { ports });

    class Cluster {
      readonly services = new MemoryInformer<Service>();
      readonly slices = new MemoryInformer<EndpointSlice>();
      readonly nodes = new MemoryInformer<Node>([node]);
      #backend = mechanism.create(lab.node);
      #proxy = this.#start();

      async change(change: () => void): Promise<void> {
        change();
        await this.#proxy.settled();
      }

      /** The agent ends and comes back; `meanwhile` happens between. */
      async restart(meanwhile: () => void): Promise<void> {
        await this.#proxy[Symbol.asyncDispose]();
        await this.#backend[Symbol.asyncDispose]();
        meanwhile();
        this.#backend = mechanism.create(lab.node);
        this.#proxy = this.#start();
        await this.#proxy.settled();
      }

      async [Symbol.asyncDispose](): Promise<void> {
        await this.#proxy[Symbol.asyncDispose]();
        await this.#backend.cleanup();
        await this.#backend[Symbol.asyncDispose]();
      }

      #start(): ServiceProxy {
        return createServiceProxy(
          {
            services: this.services,
            endpointSlices: this.slices,
            nodes: this.nodes,
            backend: this.#backend,
            conntrack: lab.node.conntrack,
            logger: silentLogger,
          },
          {
            nodeName: 'node1',
            clusterCIDRs: FACTS.clusterCIDRs,
            serviceCIDRs: FACTS.serviceCIDRs,
            localAddresses: FACTS.localAddresses,
          },
        );
      }
    }

    const clusterIP = udp(AT_CLUSTER_IP);
    const nodePort = udp(AT_NODE_PORT);

    shown('the endpoint goes and another is there: the flow moves', async () => {
      await using cluster = new Cluster();
      await cluster.change(() => {
        cluster.services.set(dns);
        cluster.slices.set(on('b'));
      });
      using flow = await lab.udpFlow('a', clusterIP);
      assert.equal(await flow.ask(), 'b');
      await cluster.change(() => cluster.slices.set(on('c')));
      assert.equal(await flow.ask(), 'c');
    });

    shown('more endpoints come: the flow stays', async () => {
      await using cluster = new Cluster();
      await cluster.change(() => {
        cluster.services.set(dns);
        cluster.slices.set(on('b'));
      });
      using flow = await lab.udpFlow('a', clusterIP);
      assert.equal(await flow.ask(), 'b');
      await cluster.change(() => cluster.slices.set(on('b', 'c', 'd')));
      for (let i = 0; i < 5; i++) assert.equal(await flow.ask(), 'b');
    });

    shown('the last endpoint goes, a new one comes', async () => {
      await using cluster = new Cluster();
      await cluster.change(() => {
        cluster.services.set(dns);
        cluster.slices.set(on('b'));
      });
      using flow = await lab.udpFlow('a', clusterIP);
      assert.equal(await flow.ask(), 'b');
      await cluster.change(() => cluster.slices.set(on()));
      assert.notEqual(await flow.ask(), 'b');
      await cluster.change(() => cluster.slices.set(on('d')));
      assert.equal(await flow.ask(), 'd');
    });

    shown('a flow from before the Service had endpoints finds them', async () => {
      await using cluster = new Cluster();
      using flow = await lab.udpFlow('a', clusterIP);
      await flow.ask(); // nobody is there, the packet is routed away and tracked
      await cluster.change(() => {
        cluster.services.set(dns);
        cluster.slices.set(on('b'));
      });
      assert.equal(await flow.ask(), 'b');
    });

    shown(
      'the endpoint terminates: a flow to it goes on while it serves, and moves when it is gone',
      async () => {
        await using cluster = new Cluster();
        await cluster.change(() => {
          cluster.services.set(dns);
          cluster.slices.set(on('b'));
        });
        using flow = await lab.udpFlow('a', clusterIP);
        assert.equal(await flow.ask(), 'b');
        await cluster.change(() => cluster.slices.set(on(endpoint('b', { conditions: TERMINATING }), 'c')));
        assert.equal(await flow.ask(), 'b');
        using fresh = await lab.udpFlow('a', clusterIP);
        assert.equal(await fresh.ask(), 'c');
        await cluster.change(() => cluster.slices.set(on('c')));
        assert.equal(await flow.ask(), 'c');
      },
    );

    shown('the Service is deleted: its flows end', async () => {
      await using cluster = new Cluster();
      await cluster.change(() => {
        cluster.services.set(dns);
        cluster.slices.set(on('b'));
      });
      using flow = await lab.udpFlow('a', clusterIP);
      assert.equal(await flow.ask(), 'b');
      await cluster.change(() => {
        cluster.services.delete(dns);
        cluster.slices.delete(on());
      });
      assert.notEqual(await flow.ask(), 'b');
    });

    shown('NodePort: the flow of an outside client moves, and ends with the port', async () => {
      await using cluster = new Cluster();
      await cluster.change(() => {
        cluster.services.set(exposed);
        cluster.slices.set(on('b'));
      });
      using flow = await lab.udpFlow('outside', nodePort);
      assert.equal(await flow.ask(), 'b');
      await cluster.change(() => cluster.slices.set(on('c')));
      assert.equal(await flow.ask(), 'c');
      await cluster.change(() => cluster.services.set(dns));
      assert.notEqual(await flow.ask(), 'c');
    });

    shown('load balancer: the flow of an outside client moves, and ends with the address', async () => {
      const balanced = balancedService({ ports: [{ name: 'main', port: SERVICE_PORT, protocol: 'UDP' }] });
      await using cluster = new Cluster();
      await cluster.change(() => {
        cluster.services.set(balanced);
        cluster.slices.set(on('b'));
      });
      using flow = await lab.udpFlow('outside', udp(AT_BALANCER));
      assert.equal(await flow.ask(), 'b');
      await cluster.change(() => cluster.slices.set(on('b', 'c')));
      assert.equal(await flow.ask(), 'b');
      await cluster.change(() => cluster.slices.set(on('c')));
      assert.equal(await flow.ask(), 'c');
      await cluster.change(() => cluster.services.set({ ...balanced, status: { loadBalancer: {} } }));
      assert.notEqual(await flow.ask(), 'c');
    });

    shown('TCP: a connection goes on while its endpoint terminates, and new ones go elsewhere', async () => {
      const tcp = [{ name: 'main', port: ECHO_PORT, protocol: 'TCP' }];
      const echo = createServer((socket) => void socket.on('error', () => {}).pipe(socket));
      echo.listen({ fd: bindIn(lab.pod('b'), { protocol: 'tcp', address: PODS.b, port: ECHO_PORT }) });
      using _echo = { [Symbol.dispose]: () => void echo.close() };
      await using cluster = new Cluster();
      await cluster.change(() => {
        cluster.services.set(service());
        cluster.slices.set(slice(['b'], { ports: tcp }));
      });
      const socket = await connectIn(lab.pod('a'), CLUSTER_IP, SERVICE_PORT, {
        signal: AbortSignal.timeout(1_000),
      });
      using _socket = { [Symbol.dispose]: () => void socket.destroy() };
      const says = async (text: string) => {
        socket.write(text);
        const [answer] = await once(socket, 'data', { signal: AbortSignal.timeout(1_000) });
        assert.equal(String(answer), text);
      };
      await says('while it is ready');
      const leaving = endpoint('b', { conditions: TERMINATING });
      await cluster.change(() => {
        cluster.slices.set(slice([leaving], { ports: tcp }));
        cluster.slices.set(slice(['c'], { name: 'web-2' }));
      });
      await says('while it terminates');
      assert.equal(await lab.attempt('a', AT_CLUSTER_IP), expectedOutcome(mechanism, 'c kept'));
      await says('after others have gone elsewhere');
    });

    shown('restart: flows to endpoints that left meanwhile move, the others are not touched', async () => {
      await using cluster = new Cluster();
      await cluster.change(() => {
        cluster.services.set(exposed);
        cluster.slices.set(on('b'));
      });
      using flow = await lab.udpFlow('a', clusterIP);
      using outside = await lab.udpFlow('outside', nodePort);
      assert.equal(await flow.ask(), 'b');
      assert.equal(await outside.ask(), 'b');
      await cluster.restart(() => cluster.slices.set(on('b', 'c')));
      assert.equal(await flow.ask(), 'b');
      await cluster.restart(() => cluster.slices.set(on('c')));
      assert.equal(await flow.ask(), 'c');
      await cluster.restart(() => cluster.services.set(dns));
      assert.equal(await flow.ask(), 'c');
      assert.notEqual(await outside.ask(), 'c');
    });

    shown('a flow past the Services is left alone', async () => {
      await using cluster = new Cluster();
      await cluster.change(() => {
        cluster.services.set(dns);
        cluster.slices.set(on('b'));
      });
      using direct = await lab.udpFlow('a', { address: NODE_ADDRESS, port: 9, protocol: 'UDP' });
      await direct.ask();
      const tracked = async () =>
        (await lab.node.conntrack.list({ protocol: 17 })).filter(
          ({ original }) => original.destinationPort === 9,
        ).length;
      const before = await tracked();
      assert.equal(before, 1);
      await cluster.change(() => cluster.slices.set(on('c')));
      assert.equal(await tracked(), before);
    });
  });
}

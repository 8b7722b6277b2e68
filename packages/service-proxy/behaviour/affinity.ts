import assert from 'node:assert/strict';
import { after, beforeEach } from 'node:test';
import { IP_FAMILIES } from '#ip';
import { AT_CLUSTER_IP, AT_NODE_PORT, type Client, type Place, udp } from './case.ts';
import { nodePortService, service, slice, UDP_PORT, UDP_TARGET } from './cluster.ts';
import { expectedOutcome } from './expected-outcome.ts';
import { inFamily } from './in-family.ts';
import { describeInLab } from './lab-suite.ts';
import { SILENCE_MS } from './namespace-lab.ts';
import { NamespaceWorld } from './namespace-world.ts';
import type { TestedMechanism } from './tested-mechanism.ts';

/** Clients that stay with their endpoint. */
export function describeAffinity(mechanism: TestedMechanism): void {
  for (const family of IP_FAMILIES)
    describeInLab(`${mechanism.name}, session affinity, ${family}`, mechanism, family, ({ lab, shown }) => {
      let world: NamespaceWorld;
      beforeEach(async () => {
        await world?.[Symbol.asyncDispose]();
        world = new NamespaceWorld(lab(), mechanism.create);
      });
      after(() => world[Symbol.asyncDispose]());

      const sticky = (timeoutSeconds = 10_800) => ({
        sessionAffinity: 'ClientIP',
        sessionAffinityConfig: { clientIP: { timeoutSeconds } },
      });
      const program = (state: Omit<Parameters<NamespaceWorld['program']>[0], 'expect'>) =>
        world.program({ ...inFamily(family, state), expect: [] });
      const attempt = (from: Client, to: Place, answerMs?: number) =>
        lab().attempt(from, inFamily(family, to), answerMs);
      /** Where so many connections go. */
      const seen = async (from: Client, to: Place, attempts = 12) => {
        const pods = new Set<string>();
        for (let i = 0; i < attempts; i++) pods.add((await attempt(from, to)).split(' ')[0] ?? '');
        return [...pods].sort();
      };

      shown('a client stays with its endpoint, by cluster IP and by node port; None lets it go', async () => {
        const slices = [slice(['b', 'c', 'd'])];
        await program({ services: [nodePortService(sticky())], slices });
        assert.equal((await seen('a', AT_CLUSTER_IP)).length, 1);
        assert.equal((await seen('outside', AT_NODE_PORT)).length, 1);
        await program({ services: [nodePortService()], slices });
        assert.deepEqual(await seen('a', AT_CLUSTER_IP, 60), ['b', 'c', 'd']);
      });

      shown('UDP clients stay too', async () => {
        await program({
          services: [service({ ...sticky(), ports: [UDP_PORT] })],
          slices: [slice(['b', 'c', 'd'], { ports: [UDP_TARGET] })],
        });
        assert.equal((await seen('a', udp(AT_CLUSTER_IP))).length, 1);
      });

      shown('the client stays when others come and go, and moves when its own endpoint goes', async () => {
        const services = [service(sticky())];
        await program({ services, slices: [slice(['b'])] });
        assert.deepEqual(await seen('a', AT_CLUSTER_IP, 1), ['b']);
        await program({ services, slices: [slice(['b', 'c', 'd'])] });
        assert.deepEqual(await seen('a', AT_CLUSTER_IP), ['b']);
        await program({ services, slices: [slice(['c'])] });
        // The packet that uncovers the old memory is dropped; what follows goes to an endpoint that is there.
        const first = await attempt('a', AT_CLUSTER_IP, SILENCE_MS);
        assert.ok(first === 'silence' || first === expectedOutcome(mechanism, 'c kept'), first);
        assert.deepEqual(await seen('a', AT_CLUSTER_IP), ['c']);
      });

      shown('after the timeout the client is free', async () => {
        await program({ services: [service(sticky(1))], slices: [slice(['b'])] });
        assert.deepEqual(await seen('a', AT_CLUSTER_IP, 1), ['b']);
        await program({ services: [service(sticky(1))], slices: [slice(['b', 'c', 'd'])] });
        // Chance may choose the same one again, but not so often: it would once in a billion times.
        const pods: string[] = [];
        for (let i = 0; i < 20 && new Set(pods).size < 2; i++) {
          pods.push(await attempt('a', AT_CLUSTER_IP));
          await new Promise((resolve) => setTimeout(resolve, 1_100));
        }
        assert.equal(new Set(pods).size, 2, pods.join());
      });

      shown('a restart keeps what clients are bound to, and writes nothing', async () => {
        const state = { services: [service(sticky())], slices: [slice(['b', 'c', 'd'])] };
        await program(state);
        const [bound] = await seen('a', AT_CLUSTER_IP);
        assert.equal(await world.restart({ ...inFamily(family, state), expect: [] }), 0);
        assert.deepEqual(await seen('a', AT_CLUSTER_IP), [bound]);
      });
    });
}

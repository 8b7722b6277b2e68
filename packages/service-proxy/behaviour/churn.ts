import assert from 'node:assert/strict';
import { seededRandom } from '#runtime';
import { AT_CLUSTER_IP } from './case.ts';
import { PODS, type PodName, service, slice } from './cluster.ts';
import { describeInLab } from './lab-suite.ts';
import { SILENCE_MS } from './namespace-lab.ts';
import { NamespaceWorld } from './namespace-world.ts';
import type { TestedMechanism } from './tested-mechanism.ts';

/** Less than the second after which TCP sends a lost packet again; in the virtual machine as long as silence lasts. */
const UNREPEATED_MS = Math.max(800, SILENCE_MS);

/** No moment without an answer. */
export function describeChurn(mechanism: TestedMechanism): void {
  describeInLab(`${mechanism.name}, changes under traffic`, mechanism, 'IPv4', ({ lab, shown }) => {
    shown(
      `while endpoints, other Services${mechanism.endsWithProcess ? '' : ' and the agent'} come and go, every new connection is answered by an endpoint of before or after`,
      async () => {
        const random = seededRandom(7);
        const names = Object.keys(PODS) as PodName[];
        const pick = () => names.filter((name) => name === 'd' || random.next() < 0.5);
        const others = Array.from({ length: 5 }, (_, i) =>
          service({ clusterIPs: [`10.96.2.${i}`] }, { metadata: { name: `other-${i}` } }),
        );
        const world = new NamespaceWorld(lab(), mechanism.create);
        let allowed = new Set<string>(['d']);
        let changing = true;
        await world.program({ services: [service()], slices: [slice(['d'])], expect: [] });

        const changes = (async () => {
          for (let round = 0; round < 120; round++) {
            const pods = pick();
            const before = allowed;
            allowed = new Set([...before, ...pods]);
            const state = {
              services: [service(), ...others.filter(() => random.next() < 0.5)],
              slices: [slice(pods)],
              expect: [],
            };
            if (round % 10 === 9 && !mechanism.endsWithProcess) await world.restart(state);
            else await world.program(state);
            // Connections that began before the change may still be on their way.
            await new Promise((resolve) => setTimeout(resolve, 5));
            allowed = new Set(pods);
          }
          changing = false;
        })();

        let connections = 0;
        while (changing) {
          const atStart = allowed;
          const outcome = await lab().attempt('node', AT_CLUSTER_IP, UNREPEATED_MS);
          assert.ok(atStart.has(outcome) || allowed.has(outcome), `${outcome} of ${[...allowed].join()}`);
          connections++;
        }
        await changes;
        assert.ok(connections > 10, `${connections} connections`);
        await world[Symbol.asyncDispose]();
      },
    );
  });
}

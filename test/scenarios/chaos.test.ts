import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { ENDPOINT_SLICES, type EndpointSlice, SERVICES, type Service } from '#kube-api';
import { isAlreadyExists, isNotFound, type KubeClient } from '#kube-client';
import { seededRandom } from '#runtime';
import { CHAOS_CLIENT, type ChaosRequest, parseRequests } from './support/chaos-client.ts';
import { EndpointHistory } from './support/endpoint-history.ts';
import { eventually } from './support/eventually.ts';
import { startLab, type TestLab } from './support/lab.ts';
import { clusterIp, TestNamespace } from './support/test-namespace.ts';

/** A minute in every run; ten, for what takes long to show, when told to. */
const SECONDS = Number(process.env['PODWAY_CHAOS_SECONDS'] ?? 60);
const SEED = Number(process.env['PODWAY_CHAOS_SEED'] ?? 1);
/** So long after the API server has acknowledged a change, connections go by it: 100 on a machine with nothing else to do, which a build machine is not. */
const GRACE_MS = Number(process.env['PODWAY_CHAOS_GRACE_MS'] ?? 1_000);
const SERVICE_NAMES = ['one', 'two', 'three', 'four', 'five'];
const POD_NAMES = ['a', 'b', 'c', 'd'];
const AGENT = '^[^ ]*node .*podway[^ ]* agent --node-name node1 ';
const API_SERVER = '^[^ ]*node .*podway[^ ]* apiserver ';

const CUT_WATCHES =
  'table inet chaos { chain cut { type filter hook output priority 0; tcp dport 6443 reject with tcp reset; }; }';

suite('Services while everything changes', () => {
  const random = seededRandom(SEED);
  const histories = new Map<string, EndpointHistory>();
  /** Acknowledged by the API server while the agent could not hear of it. */
  const unheard: ((until: number) => void)[] = [];
  let lab: TestLab;
  let ns: TestNamespace;
  let client: KubeClient;
  const ips = new Map<string, string>();
  /** The Pods in each Service's slice. */
  const present = new Map(SERVICE_NAMES.map((name): [string, readonly string[]] => [name, POD_NAMES]));
  const addresses = new Map<string, string>();
  let markerAddress = '';

  before(async () => {
    lab = await startLab({ nodes: 2 });
    client = lab.client;
    ns = await TestNamespace.create(lab, 'chaos');
    await Promise.all([
      ns.client('client', { node: 'node1' }),
      ...POD_NAMES.map((name, i) => ns.netexec(name, 'none', { node: `node${(i % 2) + 1}` })),
    ]);
    for (const name of POD_NAMES) ips.set(name, (await ns.getPod(name)).status?.podIP ?? '');
    for (const name of SERVICE_NAMES) {
      const address = clusterIp(await client.create(SERVICES, service(name)));
      addresses.set(name, address);
      const history = new EndpointHistory();
      histories.set(address, history);
      history.change([], 0);
      history.change(POD_NAMES, 0)(Date.now() + 5_000);
      await client.create(ENDPOINT_SLICES, slice(name, POD_NAMES));
    }
    markerAddress = clusterIp(await client.create(SERVICES, service('marker')));
    await client.create(ENDPOINT_SLICES, slice('marker', ['a']));
    for (const address of [...addresses.values(), markerAddress])
      await eventually(async () =>
        assert.doesNotMatch((await ns.ask('client', `${address}:80`))[0] ?? '', /curl/),
      );
  });
  after(async () => {
    await lab?.[Symbol.asyncDispose]();
  });

  function service(name: string, address?: string, port = 80): Service {
    return {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: ns.name },
      spec: {
        ...(address !== undefined && { clusterIP: address }),
        ports: [
          { name: 'http', port, protocol: 'TCP' },
          { name: 'names', port: 8081, protocol: 'UDP' },
        ],
      },
    };
  }

  function slice(name: string, pods: readonly string[]): EndpointSlice {
    return {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name, namespace: ns.name, labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      ports: [
        { name: 'http', port: 80, protocol: 'TCP' },
        { name: 'names', port: 8081, protocol: 'UDP' },
      ],
      endpoints: pods.map((pod) => ({ addresses: [ips.get(pod) ?? ''], conditions: { ready: true } })),
    };
  }

  const pick = <T>(values: readonly T[]): T => {
    const value = values[Math.floor(random.next() * values.length)];
    if (value === undefined) throw new RangeError('nothing to pick from');
    return value;
  };
  const somePods = () => POD_NAMES.filter(() => random.next() < 0.6);

  /** Makes a change of what may answer; `heard`: the agent follows at once. */
  async function change(name: string, pods: readonly string[], heard: boolean, make: () => Promise<unknown>) {
    const history = histories.get(addresses.get(name) ?? '');
    const acknowledge = history?.change(pods, Date.now()) ?? (() => {});
    await eventually(make);
    if (heard) acknowledge(Date.now() + GRACE_MS);
    else unheard.push(acknowledge);
  }

  const moveEndpoints = async (heard = true) => {
    const name = pick(SERVICE_NAMES);
    const pods = somePods();
    present.set(name, pods);
    await change(name, pods, heard, () => client.update(ENDPOINT_SLICES, slice(name, pods)));
  };

  const replaceService = async (heard = true) => {
    const name = pick(SERVICE_NAMES);
    const key = { namespace: ns.name, name };
    await change(name, [], heard, () => client.delete(SERVICES, key).catch(unless(isNotFound)));
    await new Promise((resolve) => setTimeout(resolve, 50));
    const again = service(name, addresses.get(name));
    await change(name, present.get(name) ?? [], heard, () =>
      client.create(SERVICES, again).catch(unless(isAlreadyExists)),
    );
  };

  /** The agent has heard of everything: a change made now is in force. */
  let marks = 0;
  const hearAll = async () => {
    marks++;
    const pod = POD_NAMES[marks % POD_NAMES.length] ?? '';
    // Both kinds are watched on streams of their own, which come back one after the other.
    const port = 1000 + marks;
    await eventually(() => client.update(ENDPOINT_SLICES, slice('marker', [pod])));
    await eventually(() => client.update(SERVICES, service('marker', markerAddress, port)));
    await eventually(async () => {
      const answers = await ns.ask('client', `${markerAddress}:${port}`, 3);
      assert.deepEqual(answers, [pod, pod, pod]);
    }, 30_000);
    for (const acknowledge of unheard.splice(0)) acknowledge(Date.now());
  };

  const pidOf = async (pattern: string) => (await lab.exec('router', 'pgrep', '-f', pattern)).trim();
  const kill = async (pattern: string, meanwhile = async () => {}) => {
    const pid = await pidOf(pattern);
    await lab.exec('router', 'kill', '-9', pid);
    await meanwhile();
    await eventually(async () => {
      const now = await pidOf(pattern);
      assert.ok(now !== '' && now !== pid);
    });
  };
  const unheardChanges = async () => {
    await moveEndpoints(false);
    await replaceService(false);
    await moveEndpoints(false);
  };

  const disturbances: readonly (() => Promise<void>)[] = [
    () => kill(AGENT, unheardChanges),
    () => kill(API_SERVER, unheardChanges),
    async () => {
      await lab.exec('node1', 'nft', CUT_WATCHES);
      await unheardChanges();
      await lab.exec('node1', 'nft', 'delete', 'table', 'inet', 'chaos');
    },
  ];

  test(`${SECONDS} s: no request reaches a dead endpoint, none is refused while one is ready`, async () => {
    const targets = [...addresses.values()];
    const command = [process.execPath, '-e', CHAOS_CLIENT, String(SECONDS), '60', '80', '8081', ...targets];
    const timeoutMs = (SECONDS + 60) * 1000;
    const asking = ['client', 'node1'].map((place) =>
      place === 'node1'
        ? lab.runIn(place, command, { timeoutMs })
        : lab.runInPod(`${ns.name}/${place}`, command, { timeoutMs }),
    );
    const end = Date.now() + SECONDS * 1000;
    const counts = { changes: 0, disturbances: 0 };
    for (; Date.now() < end; counts.changes++) {
      const kind = random.next();
      if (kind < 0.03) {
        counts.disturbances++;
        await pick(disturbances)();
        await hearAll();
      } else if (kind < 0.1) await replaceService();
      else await moveEndpoints();
      await new Promise((resolve) => setTimeout(resolve, random.next() * 150));
    }
    const requests: ChaosRequest[] = (await Promise.all(asking)).flatMap(({ stdout }) =>
      parseRequests(stdout),
    );
    const problems = requests.flatMap((request) => {
      const problem = histories.get(request.target)?.problem(request);
      return problem === undefined ? [] : [`${request.protocol} ${request.begun}: ${problem}`];
    });
    console.log(
      `${requests.length} requests, ${counts.changes} changes, ${counts.disturbances} disturbances`,
    );
    assert.ok(requests.length > SECONDS * 5, `${requests.length} requests`);
    assert.deepEqual(problems, []);
  });

  test('what is in the kernel at the end is what should be: a restart finds nothing to write', async () => {
    await hearAll();
    await kill(AGENT);
    await eventually(async () => {
      const metrics = await lab.exec(
        'node1',
        'curl',
        '-sS',
        '-f',
        '-m',
        '5',
        'http://127.0.0.1:10249/metrics',
      );
      assert.match(metrics, /^kubeproxy_sync_full_proxy_rules_duration_seconds_count 1$/m);
      assert.match(metrics, /^podway_service_writes_total 0$/m);
    });
  });
});

function unless(expected: (error: unknown) => boolean): (error: unknown) => void {
  return (error) => {
    if (!expected(error)) throw error;
  };
}

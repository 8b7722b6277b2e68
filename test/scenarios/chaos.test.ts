import assert from 'node:assert/strict';
import { before, suite, test } from 'node:test';
import { ENDPOINT_SLICES, type EndpointSlice, SERVICES, type Service } from '#kube-api';
import { isAlreadyExists, isNotFound } from '#kube-client';
import { seededRandom } from '#runtime';
import { CHAOS_CLIENT, type ChaosRequest, parseRequests } from './support/chaos-client.ts';
import { EndpointHistory } from './support/endpoint-history.ts';
import { TestLab } from './support/lab.ts';
import { AGENT, API_SERVER, killProcess } from './support/lab-processes.ts';
import { Pulses } from './support/pulses.ts';
import { retry } from './support/retry.ts';
import { clusterIp, SHORT_PATIENCE, TestNamespace } from './support/test-namespace.ts';
import { TIMED_LINES } from './support/timed-lines.ts';

/** A minute in every run; ten, for what takes long to show, when told to. */
const SECONDS = Number(process.env['PODWAY_CHAOS_SECONDS'] ?? 60);
const SEED = Number(process.env['PODWAY_CHAOS_SEED'] ?? 1);
/** What is told of the time before and after a request that went wrong. */
const AROUND_MS = 2_000;
const TIMEOUT = { timeout: (SECONDS + 180) * 1000 };
const SERVICE_NAMES = ['one', 'two', 'three', 'four', 'five'];
const POD_NAMES = ['a', 'b', 'c', 'd'];

const CUT_WATCHES =
  'table inet chaos { chain cut { type filter hook output priority 0; tcp dport 6443 reject with tcp reset; }; }';

/** The agent, the API server or what is between them is away. */
interface Disturbance {
  readonly what: string;
  readonly begun: number;
  /** Everything is in force again. */
  over: number;
}

suite('Services while everything changes', TIMEOUT, () => {
  const random = seededRandom(SEED);
  const histories = new Map<string, EndpointHistory>();
  const disturbances: Disturbance[] = [];
  const pulses = new Pulses();
  const lab = TestLab.ofSuite({ nodes: 2 });
  const ns = TestNamespace.ofSuite(lab, 'chaos');
  const ips = new Map<string, string>();
  /** The Pods in each Service's slice. */
  const present = new Map(SERVICE_NAMES.map((name): [string, readonly string[]] => [name, POD_NAMES]));
  const addresses = new Map<string, string>();
  let markerAddress = '';

  before(async () => {
    await Promise.all([
      ns.client('client', { node: 'node1' }),
      ...POD_NAMES.map((name, i) => ns.netexec(name, 'none', { node: `node${(i % 2) + 1}` })),
    ]);
    for (const name of POD_NAMES) ips.set(name, (await ns.getPod(name)).status?.podIP ?? '');
    for (const name of SERVICE_NAMES) {
      const address = clusterIp(await lab.client.create(SERVICES, service(name)));
      addresses.set(name, address);
      const history = new EndpointHistory();
      histories.set(address, history);
      history.change([], 0);
      const acknowledge = history.change(POD_NAMES, 0);
      await lab.client.create(ENDPOINT_SLICES, slice(name, POD_NAMES));
      acknowledge(Date.now());
    }
    markerAddress = clusterIp(await lab.client.create(SERVICES, service('marker')));
    await lab.client.create(ENDPOINT_SLICES, slice('marker', ['a']));
    for (const address of [...addresses.values(), markerAddress])
      await retry(async () =>
        assert.doesNotMatch((await ns.ask('client', `${address}:80`))[0] ?? '', /curl/),
      );
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

  /** Makes a change of what may answer. */
  async function change(name: string, pods: readonly string[], make: () => Promise<unknown>) {
    const acknowledge = histories.get(addresses.get(name) ?? '')?.change(pods, Date.now());
    await retry(make);
    acknowledge?.(Date.now());
  }

  const moveEndpoints = async () => {
    const name = pick(SERVICE_NAMES);
    const pods = somePods();
    present.set(name, pods);
    await change(name, pods, () => lab.client.update(ENDPOINT_SLICES, slice(name, pods)));
  };

  const replaceService = async () => {
    const name = pick(SERVICE_NAMES);
    const key = { namespace: ns.name, name };
    await change(name, [], () => lab.client.delete(SERVICES, key).catch(unless(isNotFound)));
    await new Promise((resolve) => setTimeout(resolve, 50));
    const again = service(name, addresses.get(name));
    await change(name, present.get(name) ?? [], () =>
      lab.client.create(SERVICES, again).catch(unless(isAlreadyExists)),
    );
  };

  /** Changes an endpoint and a Service, of which the agent hears on a stream each, and waits until both changes are in force. */
  const pulse = async () => {
    const pod = POD_NAMES[pulses.count % POD_NAMES.length] ?? '';
    const port = 1000 + pulses.count;
    const sent = Date.now();
    await retry(() => lab.client.update(ENDPOINT_SLICES, slice('marker', [pod])));
    await retry(() => lab.client.update(SERVICES, service('marker', markerAddress, port)));
    await retry(
      async () =>
        assert.deepEqual(await ns.ask('node1', `${markerAddress}:${port}`, { patience: SHORT_PATIENCE }), [
          pod,
        ]),
      60_000,
      20,
    );
    pulses.add(sent, Date.now());
  };

  const changes = async () => {
    await moveEndpoints();
    await replaceService();
    await moveEndpoints();
  };

  const kinds: Readonly<Record<string, () => Promise<void>>> = {
    'agent killed': () => killProcess(lab, AGENT, changes),
    'API server killed': () => killProcess(lab, API_SERVER, changes),
    'watches cut': async () => {
      await lab.exec('node1', 'nft', CUT_WATCHES);
      await changes();
      await lab.exec('node1', 'nft', 'delete', 'table', 'inet', 'chaos');
    },
  };
  const disturb = async () => {
    const [what, make] = pick(Object.entries(kinds));
    const disturbance = { what, begun: Date.now(), over: Number.POSITIVE_INFINITY };
    disturbances.push(disturbance);
    await make();
    const done = Date.now();
    await retry(() => assert.ok(pulses.due(done) < Number.POSITIVE_INFINITY, `after: ${what}`));
    disturbance.over = Date.now();
  };

  /** What there is to know about the time around a request that went wrong. */
  async function explain(request: ChaosRequest, kernelChanges: string): Promise<string> {
    const [from, to] = [request.begun - AROUND_MS, request.ended + AROUND_MS];
    const at = (time: number) => `${Math.round(time - request.begun)} ms`;
    const history = histories.get(request.target);
    const near = disturbances.filter(({ begun, over }) => begun <= to && over >= from);
    const logs = await Promise.all(['node1', 'apiserver'].map((name) => lab.lab('logs', name)));
    const inTime = (line: string) => {
      const time = Date.parse(/\d{4}-\d\d-\d\dT[\d:.]+Z/.exec(line)?.[0] ?? '');
      return time >= from && time <= to;
    };
    const ofTarget = kernelChanges.split('\n').flatMap((line) => {
      const [time = '', ...text] = line.split(' ');
      const isNear = Number(time) >= from && Number(time) <= to;
      return isNear && text.includes(request.target) ? [`${at(Number(time))}: ${text.join(' ')}`] : [];
    });
    return [
      `times count from the request's begin, ${new Date(request.begun).toISOString()}; it ended after ${at(request.ended)}`,
      ...(history?.print(from, to, request.begun, (acknowledged) => pulses.due(acknowledged)) ?? []),
      ...near.map(({ what, begun, over }) => `${what} from ${at(begun)} to ${at(over)}`),
      ...ofTarget.map((line) => `kernel ${line}`),
      ...logs.flatMap((log) => log.split('\n').filter(inTime)),
    ].join('\n    ');
  }

  test(
    `${SECONDS} s: no request reaches a dead endpoint, none is refused while one is ready`,
    TIMEOUT,
    async () => {
      const targets = [...addresses.values()];
      const script = (text: string, ...args: readonly string[]) => [process.execPath, '-e', text, ...args];
      const command = script(CHAOS_CLIENT, String(SECONDS), '60', '80', '8081', ...targets);
      const options = { timeoutMs: (SECONDS + 120) * 1000 };
      const asking = [
        lab.runIn('node1', command, options),
        lab.runInPod(`${ns.name}/client`, command, options),
      ];
      const listening = lab.runIn(
        'node1',
        script(TIMED_LINES, String(SECONDS), 'nft', 'monitor', 'elements'),
        options,
      );
      let asked = false;
      const pulsing = (async () => {
        while (!asked) await pulse();
      })();
      const end = Date.now() + SECONDS * 1000;
      let changes = 0;
      for (; Date.now() < end; changes++) {
        const kind = random.next();
        if (kind < 0.06) await disturb();
        else if (kind < 0.13) await replaceService();
        else await moveEndpoints();
        await new Promise((resolve) => setTimeout(resolve, random.next() * 150));
      }
      const requests = (await Promise.all(asking)).flatMap(({ stdout }) => parseRequests(stdout));
      asked = true;
      await pulsing;
      const kernelChanges = (await listening).stdout;
      const wrong = requests.flatMap((request) => {
        const problem = histories.get(request.target)?.problem(request, (time) => pulses.due(time));
        return problem === undefined ? [] : [{ request, problem }];
      });
      console.log(
        `${requests.length} requests, ${changes} changes, ${disturbances.length} disturbances, ${pulses.count} pulses`,
      );
      for (const { request, problem } of wrong.slice(0, 5))
        console.log(
          `${request.protocol} ${request.target}: ${problem}\n    ${await explain(request, kernelChanges)}`,
        );
      assert.ok(requests.length > SECONDS, `${requests.length} requests`);
      assert.deepEqual(
        wrong.map(({ request, problem }) => `${request.protocol} ${request.begun}: ${problem}`),
        [],
      );
    },
  );

  test('what is in the kernel at the end is what should be: a restart finds nothing to write', async () => {
    await pulse();
    await pulse();
    await killProcess(lab, AGENT);
    await retry(async () => {
      const metrics = await lab.exec(
        'node1',
        'curl',
        '-sS',
        '-f',
        '-m',
        '20',
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

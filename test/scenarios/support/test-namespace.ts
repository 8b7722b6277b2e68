import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { before } from 'node:test';
import { isIp } from '#ip';
import {
  type Container,
  ENDPOINT_SLICES,
  NAMESPACES,
  PODS,
  type Pod,
  type PodSpec,
  SERVICES,
  type Service,
  type ServiceSpec,
} from '#kube-api';
import { isConflict, isNotFound } from '#kube-client';
import type { TestLab } from './lab.ts';
import { retry } from './retry.ts';
import type { Outcome } from './run.ts';

const AGNHOST = 'registry.k8s.io/e2e-test-images/agnhost:2.47';
const BUSYBOX = 'registry.k8s.io/e2e-test-images/busybox:1.36';

/** How curl(1) says that a connection was answered by a reset, and that it was not answered. */
export const CURL_REFUSED = 7;
export const CURL_TIMED_OUT = 28;

export interface PodOptions {
  readonly node?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly container?: Partial<Container>;
  readonly spec?: Partial<PodSpec>;
}

export interface ServiceOptions {
  readonly labels?: Readonly<Record<string, string>>;
}

/** Seconds that a connection may take where it must succeed, on a busy machine too; and where it need not, or not yet. */
const PATIENCE = 10;
export const SHORT_PATIENCE = 2;

export interface AskOptions {
  readonly count?: number;
  readonly path?: string;
  /** Seconds until a connection is given up. */
  readonly patience?: number | undefined;
}

/** A namespace of a case's own in a lab that cases share, with short words for what cases of Services do. */
export class TestNamespace {
  readonly lab: TestLab;
  readonly name: string;

  private constructor(lab: TestLab, base: string) {
    this.lab = lab;
    this.name = `${base}-${randomUUID().slice(0, 5)}`;
  }

  static async create(lab: TestLab, base: string): Promise<TestNamespace> {
    const namespace = new TestNamespace(lab, base);
    await namespace.#create();
    return namespace;
  }

  /** One that the tests of a suite share: there before the first of them, once the suite's lab is up. */
  static ofSuite(lab: TestLab, base: string): TestNamespace {
    const namespace = new TestNamespace(lab, base);
    before(() => namespace.#create());
    return namespace;
  }

  async #create(): Promise<void> {
    const { client } = this.lab;
    await client.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: this.name } });
  }

  /** A Service that selects Pods labelled `app: NAME`, unless `spec` says otherwise. */
  async service(name: string, spec: ServiceSpec, { labels = {} }: ServiceOptions = {}): Promise<Service> {
    return await this.lab.client.create(SERVICES, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: this.name, labels },
      spec: { selector: { app: name }, ...spec },
    });
  }

  getService(name: string): Promise<Service> {
    return this.lab.client.get(SERVICES, { namespace: this.name, name });
  }

  /** Reads, changes and writes a Service, again when somebody else was faster. */
  updateService(name: string, change: (service: Service) => Service): Promise<Service> {
    return this.#again(
      async () => await this.lab.client.update(SERVICES, change(await this.getService(name))),
    );
  }

  async #again<T>(attempt: () => Promise<T>): Promise<T> {
    for (;;)
      try {
        return await attempt();
      } catch (error) {
        if (!isConflict(error)) throw error;
      }
  }

  async deleteService(name: string): Promise<void> {
    await this.lab.client.delete(SERVICES, { namespace: this.name, name });
  }

  createPod(name: string, { node, labels = {}, container = {}, spec = {} }: PodOptions): Promise<Pod> {
    return this.lab.client.create(PODS, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: this.name, labels },
      spec: {
        ...(node === undefined ? {} : { nodeName: node }),
        terminationGracePeriodSeconds: 1,
        ...spec,
        containers: [{ name, image: AGNHOST, ...container }],
      },
    });
  }

  /** The same, and waits until it is ready. */
  async pod(name: string, options: PodOptions): Promise<Pod> {
    await this.createPod(name, options);
    return await this.ready(name);
  }

  /** A Pod to ask from: it has the machine's own curl, nc and dig. */
  client(name = 'client', options: PodOptions = {}): Promise<Pod> {
    const container = { image: BUSYBOX, command: ['sleep', 'infinity'], ...options.container };
    return this.pod(name, { ...options, container });
  }

  /** agnhost's netexec on the ports given, labelled `app: APP`. */
  netexec(
    name: string,
    app: string,
    {
      http = 80,
      udp = 8081,
      flags = [],
      ...options
    }: PodOptions & { http?: number; udp?: number; flags?: readonly string[] } = {},
  ): Promise<Pod> {
    const args = ['netexec', `--http-port=${http}`, `--udp-port=${udp}`, ...flags];
    const container: Partial<Container> = {
      args,
      // A server that starts slowly must not be an endpoint yet: the suite's own Pods are given time by an image pull.
      readinessProbe: { tcpSocket: { port: http }, periodSeconds: 1 },
      ...options.container,
    };
    return this.pod(name, { ...options, labels: { app, ...options.labels }, container });
  }

  async getPod(name: string): Promise<Pod> {
    return await this.lab.client.get(PODS, { namespace: this.name, name });
  }

  ready(name: string): Promise<Pod> {
    return retry(async () => {
      const pod = await this.getPod(name);
      assert.ok(isReady(pod), `Pod ${name} is not ready: ${JSON.stringify(pod.status)}`);
      return pod;
    });
  }

  unready(name: string): Promise<Pod> {
    return retry(async () => {
      const pod = await this.getPod(name);
      assert.ok(!isReady(pod), `Pod ${name} is still ready`);
      return pod;
    });
  }

  /** Starts a Pod's deletion. */
  async deletePod(name: string, gracePeriodSeconds?: number): Promise<void> {
    const options = gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds };
    await this.lab.client.delete(PODS, { namespace: this.name, name }, options);
  }

  async gone(name: string): Promise<void> {
    await retry(async () => {
      const found = await this.getPod(name).catch((error: unknown) => {
        if (isNotFound(error)) return undefined;
        throw error;
      });
      assert.equal(found?.metadata?.name, undefined);
    });
  }

  /** Waits until a Service's ready endpoints are exactly these Pods, each with these ports. */
  async endpoints(service: string, expected: Readonly<Record<string, readonly number[]>>): Promise<void> {
    await retry(async () => assert.deepEqual(await this.#readyEndpoints(service), expected));
  }

  async #readyEndpoints(service: string): Promise<Readonly<Record<string, readonly number[]>>> {
    const { items } = await this.lab.client.list(ENDPOINT_SLICES, {
      namespace: this.name,
      labelSelector: `kubernetes.io/service-name=${service}`,
    });
    const found = new Map<string, Set<number>>();
    for (const { endpoints, ports } of items)
      for (const { conditions, targetRef } of endpoints ?? [])
        if (conditions?.ready !== false)
          for (const { port } of ports ?? []) {
            const pod = targetRef?.name ?? '';
            found.set(pod, (found.get(pod) ?? new Set()).add(port ?? 0));
          }
    return Object.fromEntries([...found].map(([pod, ports]) => [pod, [...ports].sort((a, b) => a - b)]));
  }

  /** Runs a command in a Pod, NAME or NAMESPACE/NAME, or, when `place` names a node or `outside`, in its network. */
  run(place: string, ...command: readonly string[]): Promise<Outcome> {
    if (place === 'outside' || /^node\d+$/.test(place)) return this.lab.runIn(place, command);
    return this.lab.runInPod(place.includes('/') ? place : `${this.name}/${place}`, command);
  }

  /** Standard output of a command that must succeed. */
  async output(place: string, ...command: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(place, ...command);
    assert.equal(code, 0, `${place}: ${command.join(' ')}: ended with ${code}: ${stdout}${stderr}`);
    return stdout;
  }

  /** Answers of requests, each on a connection of its own; what has no answer is its curl exit code. */
  async ask(
    place: string,
    target: string,
    { count = 1, path = 'hostname', patience = PATIENCE }: AskOptions = {},
  ): Promise<readonly string[]> {
    const url = `http://${target}/${path}`;
    const { stdout, stderr } = await this.run(
      place,
      ...['curl', '-s', '-g', '--connect-timeout', `${patience}`, '-m', '20', '-H', 'Connection: close'],
      // A line behind each answer: how it ended, and on how many new connections.
      ...['-w', '\\n%{exitcode} %{num_connects}\\n'],
      ...Array.from({ length: count }, () => url),
    );
    const answers = [...stdout.matchAll(/(.*?)\n(\d+) (\d+)\n/gs)];
    assert.equal(answers.length, count, `${url} from ${place}: ${stdout}${stderr}`);
    return answers.map(([, body = '', code, connections]) => {
      if (code !== '0') return `curl: ${code}`;
      assert.equal(connections, '1', `${url} from ${place}`);
      return body.trim();
    });
  }

  /** The same by UDP, one datagram each: `none` for what has no answer within a second. */
  async askUdp(place: string, target: string, count = 1, text = 'hostname'): Promise<readonly string[]> {
    const [, host = '', port = ''] = /^\[?(.*?)\]?:(\d+)$/.exec(target) ?? [];
    const script = `for i in $(seq ${count}); do a=$(echo ${text} | nc -u -w 1 -W 1 ${host} ${port}); echo "\${a:-none}"; done`;
    return (await this.output(place, 'sh', '-c', script)).split('\n').filter((line) => line !== '');
  }

  /** Waits until requests are answered by exactly these Pods. */
  async servedBy(place: string, target: string, pods: readonly string[], count?: number): Promise<void> {
    const tries = count ?? (pods.length === 1 ? 3 : 6 * pods.length);
    await retry(async () =>
      assert.deepEqual(
        [...new Set(await this.ask(place, target, { count: tries, patience: SHORT_PATIENCE }))].sort(),
        [...pods].sort(),
        target,
      ),
    );
  }

  async servedByUdp(place: string, target: string, pods: readonly string[]): Promise<void> {
    const tries = pods.length === 1 ? 2 : 6 * pods.length;
    await retry(async () =>
      assert.deepEqual(
        [...new Set(await this.askUdp(place, target, tries))].sort(),
        [...pods].sort(),
        target,
      ),
    );
  }

  /** Waits until connections are refused, not merely left unanswered. */
  async refused(place: string, target: string): Promise<void> {
    await this.#fails(place, target, [CURL_REFUSED]);
  }

  /** Waits until connections are left unanswered. */
  async unanswered(place: string, target: string): Promise<void> {
    await this.#fails(place, target, [CURL_TIMED_OUT]);
  }

  /** Waits until nothing answers, by refusal or silence. */
  async unreachable(place: string, target: string): Promise<void> {
    await this.#fails(place, target, [CURL_REFUSED, CURL_TIMED_OUT]);
  }

  async #fails(place: string, target: string, codes: readonly number[]): Promise<void> {
    await retry(async () => {
      const [answer = ''] = await this.ask(place, target, { patience: SHORT_PATIENCE });
      assert.ok(
        codes.some((code) => answer === `curl: ${code}`),
        `${target} from ${place}: ${answer}`,
      );
    });
  }
}

export function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
}

/** A cluster IP of a Service, of the first of its families or its second; fails when it has none. */
export function clusterIp(service: Service, family: 0 | 1 = 0): string {
  const ip = service.spec?.clusterIPs?.[family] ?? '';
  assert.ok(isIp(ip), `cluster IP ${ip}`);
  return ip;
}

/** The node port of a Service's port by index. */
export function nodePort(service: Service, index = 0): number {
  const port = service.spec?.ports?.[index]?.nodePort ?? 0;
  assert.ok(port >= 30_000 && port <= 32_767, `node port ${port}`);
  return port;
}

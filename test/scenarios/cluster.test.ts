import assert from 'node:assert/strict';
import { before, suite, test } from 'node:test';
import { isIp, parseIp, parsePrefix, prefixContains } from '#ip';
import { PODS } from '#kube-api';
import { accountKinds, whyNotForOthers } from './support/account.ts';
import { examplePath, TestLab } from './support/lab.ts';
import { retry } from './support/retry.ts';
import { CURL_REFUSED } from './support/test-namespace.ts';

const EXAMPLES = ['my-nginx.yaml', 'redis-leader.yaml', 'redis-follower.yaml', 'hello-world-5.yaml'];

const AGNHOST = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: agnhost }
spec:
  replicas: 3
  selector: { matchLabels: { app: agnhost } }
  template:
    metadata: { labels: { app: agnhost } }
    spec:
      containers:
      - name: agnhost
        image: registry.k8s.io/e2e-test-images/agnhost:2.47
        args: [netexec, --http-port=8080, --udp-port=8081]
        ports: [{ containerPort: 8080 }, { containerPort: 8081, protocol: UDP }]
        readinessProbe: { httpGet: { path: /healthz, port: 8080 }, periodSeconds: 1 }
---
apiVersion: v1
kind: Service
metadata: { name: agnhost }
spec:
  type: NodePort
  selector: { app: agnhost }
  ports:
  - { name: http, port: 80, targetPort: 8080, nodePort: 30080 }
  - { name: udp, port: 81, targetPort: 8081, protocol: UDP, nodePort: 30081 }
`;

/** On a connection of its own for each URL, and with a line for each. */
const CURL = ['curl', '-sS', '-m', '20', '-H', 'Connection: close', '-w', '\\n'];
const lines = (text: string) => text.split('\n').filter((line) => line !== '');

interface RunningPod {
  readonly name: string;
  readonly ip: string;
  readonly node: string;
}

async function podsOf(lab: TestLab, labelSelector: string): Promise<readonly RunningPod[]> {
  const { items } = await lab.client.list(PODS, { namespace: 'default', labelSelector });
  return items.map(({ metadata, spec, status }) => ({
    name: metadata?.name ?? '',
    ip: status?.podIP ?? '',
    node: spec?.nodeName ?? '',
  }));
}

for (const account of accountKinds()) {
  const skip = account === 'ordinary' ? whyNotForOthers() : undefined;
  suite(`a three-node cluster, as ${account}`, { skip: skip ?? false }, () => {
    const lab = TestLab.ofSuite({ account });
    let agnhost: readonly RunningPod[];

    before(async () => {
      for (const file of EXAMPLES) await lab.kubectl('apply', '-f', examplePath(file));
      const applied = await lab.runKubectl(['apply', '-f', '-'], { input: AGNHOST });
      assert.equal(applied.code, 0, applied.stderr);
      for (const name of ['my-nginx', 'redis-leader', 'redis-follower', 'hello-world', 'agnhost'])
        await lab.kubectl('rollout', 'status', `deployment/${name}`, '--timeout=60s');
      agnhost = await podsOf(lab, 'app=agnhost');
    });

    const client = () => {
      const [first] = agnhost;
      assert.ok(first !== undefined);
      return first;
    };
    const fromPod = async ({ name }: RunningPod, ...urls: readonly string[]) =>
      lines(await lab.execInPod(name, ...CURL, ...urls));
    const fromPlace = async (place: string, ...urls: readonly string[]) =>
      lines(await lab.exec(place, ...CURL, ...urls));

    /** Waits until the Service is answered by exactly these Pods. */
    const servedBy = (pods: readonly RunningPod[]) =>
      retry(async () =>
        assert.deepEqual(
          [...new Set(await fromPod(client(), 'http://agnhost/hostname?[1-40]'))].sort(),
          pods.map(({ name }) => name).sort(),
        ),
      );

    test('lab up -o json: nodes with address and Pod CIDR, the times', () => {
      assert.deepEqual(
        lab.up.nodes.map((node) => node.name),
        ['node1', 'node2', 'node3'],
      );
      assert.ok(lab.up.nodes.every((node) => isIp(node.ip)));
      assert.equal(new Set(lab.up.nodes.map((node) => parsePrefix(node.podCIDR))).size, 3);
      assert.ok(lab.up.bootMilliseconds > 0);
      assert.ok((lab.up.dnsMilliseconds ?? 0) > lab.up.bootMilliseconds);
    });

    test('Pods: spread over the nodes, each with an address of its own node’s Pod CIDR', () => {
      assert.equal(new Set(agnhost.map((pod) => pod.node)).size, 3);
      for (const pod of agnhost) {
        const node = lab.up.nodes.find(({ name }) => name === pod.node);
        assert.ok(
          node !== undefined && prefixContains(parsePrefix(node.podCIDR), parseIp(pod.ip)),
          JSON.stringify(pod),
        );
      }
    });

    test('Pods: every Pod reaches every other by its address, and the server sees the client’s own', async () => {
      const urls = agnhost.map(({ ip }) => `http://${ip}:8080/clientip`);
      for (const client of agnhost)
        assert.deepEqual(
          (await fromPod(client, ...urls)).map(withoutPort),
          urls.map(() => client.ip),
        );
    });

    test('Service: by its DNS name from Pods, short and full, client address kept', async () => {
      const names = ['agnhost', 'agnhost.default', 'agnhost.default.svc.cluster.local'];
      const urls = names.map((name) => `http://${name}/clientip`);
      // Not a Pod of the Service itself: one that reaches itself through its Service sees the node's address instead.
      for (const client of await podsOf(lab, 'run=my-nginx'))
        await retry(async () =>
          assert.deepEqual(
            (await fromPod(client, ...urls)).map(withoutPort),
            names.map(() => client.ip),
          ),
        );
    });

    test('Service: spreads connections over all its Pods', () => servedBy(agnhost));

    test('NodePort: from outside at every node’s address', async () => {
      for (const node of lab.up.nodes)
        await retry(async () =>
          assert.match(
            (await fromPlace('outside', `http://${node.ip}:30080/hostname`))[0] ?? '',
            /^agnhost-/,
          ),
        );
    });

    test('NodePort: from a node itself, and from a Pod', async () => {
      const urls = lab.up.nodes.slice(0, 2).map(({ ip }) => `http://${ip}:30080/hostname`);
      for (const ask of [() => fromPlace('node1', ...urls), () => fromPod(client(), ...urls)])
        await retry(async () => {
          const answers = await ask();
          assert.equal(answers.length, 2);
          for (const answer of answers) assert.match(answer, /^agnhost-/);
        });
    });

    test('UDP through the Service', async () => {
      const ask = 'echo -n hostname | nc -u -w 5 -W 1 agnhost 81';
      await retry(async () => assert.match(await lab.execInPod(client().name, 'sh', '-c', ask), /^agnhost-/));
    });

    test('nginx: by DNS name from a Pod on another node', async () => {
      const [server] = await podsOf(lab, 'run=my-nginx');
      const other = agnhost.find((pod) => pod.node !== server?.node);
      assert.ok(other !== undefined);
      await retry(async () =>
        assert.match((await fromPod(other, 'http://my-nginx')).join(), /Welcome to nginx/),
      );
    });

    test('redis: both followers replicate from redis-leader by its name', async () => {
      const followers = await podsOf(lab, 'app=redis,role=follower');
      assert.equal(followers.length, 2);
      for (const pod of followers)
        await retry(async () => {
          const info = await lab.kubectl('exec', pod.name, '--', 'redis-cli', 'info', 'replication');
          assert.match(info, /master_host:redis-leader/);
          assert.match(info, /master_link_status:up/);
        });
    });

    test('hello-app: five replicas answer on their own addresses', async () => {
      const pods = await podsOf(lab, 'app.kubernetes.io/name=load-balancer-example');
      assert.equal(pods.length, 5);
      for (const pod of pods)
        await retry(async () =>
          assert.match(
            (await fromPlace('node1', `http://${pod.ip}:8080`)).join(),
            new RegExp(`Hostname: ${pod.name}`),
          ),
        );
    });

    test('kubernetes.default: Pods reach the API server through its Service, with their service account', async () => {
      const script = `cd /var/run/secrets/kubernetes.io/serviceaccount && curl -sS -m 20 --cacert ca.crt \
        -H "Authorization: Bearer $(cat token)" https://kubernetes.default.svc.cluster.local/api/v1/namespaces/default`;
      const namespace: unknown = JSON.parse(await lab.execInPod(client().name, 'sh', '-c', script));
      assert.partialDeepStrictEqual(namespace, { kind: 'Namespace', metadata: { name: 'default' } });
    });

    test('a closed port and a Service without endpoints are refused at once', async () => {
      await lab.kubectl('create', 'service', 'clusterip', 'nobody', '--tcp=80:80');
      for (const url of ['http://agnhost:82', 'http://nobody'])
        await retry(async () => {
          const refused = await lab.runInPod(client().name, ['curl', '-sS', '-m', '5', url]);
          assert.equal(refused.code, CURL_REFUSED, `${url}: ${refused.stderr}`);
        });
    });

    test('endpoints follow the Pods: a deleted Pod gets no new connection, its replacement does', async () => {
      const [, victim] = agnhost;
      assert.ok(victim !== undefined);
      await lab.kubectl('delete', 'pod', victim.name, '--wait=true');
      await lab.kubectl('rollout', 'status', 'deployment/agnhost', '--timeout=60s');
      const now = await podsOf(lab, 'app=agnhost');
      assert.ok(!now.some(({ name }) => name === victim.name));
      await servedBy(now);
    });
  });
}

const withoutPort = (address: string) => address.replace(/:\d+$/, '');

import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { isIp, parseIp, parsePrefix, prefixContains } from '#ip';
import { PODS } from '#kube-api';
import { accountKinds, whyNotForOthers } from './support/account.ts';
import { eventually } from './support/eventually.ts';
import { examplePath, startLab, type TestLab } from './support/lab.ts';

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
    let lab: TestLab;
    let agnhost: readonly RunningPod[];

    before(async () => {
      lab = await startLab({ account });
      for (const file of EXAMPLES) await lab.kubectl('apply', '-f', examplePath(file));
      const applied = await lab.runKubectl(['apply', '-f', '-'], { input: AGNHOST });
      assert.equal(applied.code, 0, applied.stderr);
      for (const name of ['my-nginx', 'redis-leader', 'redis-follower', 'hello-world', 'agnhost'])
        await lab.kubectl('rollout', 'status', `deployment/${name}`, '--timeout=30s');
      agnhost = await podsOf(lab, 'app=agnhost');
    });
    after(async () => {
      await lab?.[Symbol.asyncDispose]();
    });

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
      for (const client of agnhost)
        for (const server of agnhost) {
          const seen = await lab.execInPod(
            client.name,
            'curl',
            '-sS',
            '-m',
            '5',
            `http://${server.ip}:8080/clientip`,
          );
          assert.equal(seen.replace(/:\d+\s*$/, ''), client.ip, `${client.node} -> ${server.node}`);
        }
    });

    test('Service: by its DNS name from Pods, short and full, client address kept', async () => {
      // Not a Pod of the Service itself: one that reaches itself through its Service sees the node's address instead.
      for (const client of await podsOf(lab, 'run=my-nginx'))
        for (const name of ['agnhost', 'agnhost.default', 'agnhost.default.svc.cluster.local']) {
          const seen = await lab.execInPod(client.name, 'curl', '-sS', '-m', '5', `http://${name}/clientip`);
          assert.equal(seen.replace(/:\d+\s*$/, ''), client.ip);
        }
    });

    test('Service: spreads connections over all its Pods', async () => {
      const [client] = agnhost;
      assert.ok(client !== undefined);
      const script = 'for i in $(seq 60); do curl -sS -m 5 http://agnhost/hostname; echo; done';
      const answers = await lab.execInPod(client.name, 'sh', '-c', script);
      assert.deepEqual(
        [...new Set(answers.split('\n').filter((line) => line !== ''))].sort(),
        agnhost.map((pod) => pod.name).sort(),
      );
    });

    test('NodePort: from outside at every node’s address', async () => {
      for (const node of lab.up.nodes)
        assert.match(
          await lab.exec('outside', 'curl', '-sS', '-m', '5', `http://${node.ip}:30080/hostname`),
          /^agnhost-/,
        );
    });

    test('NodePort: from a node itself, and from a Pod', async () => {
      const [first, second] = lab.up.nodes;
      const [pod] = agnhost;
      assert.ok(first !== undefined && second !== undefined && pod !== undefined);
      for (const node of [first, second]) {
        assert.match(
          await lab.exec(first.name, 'curl', '-sS', '-m', '5', `http://${node.ip}:30080/hostname`),
          /^agnhost-/,
        );
        assert.match(
          await lab.execInPod(pod.name, 'curl', '-sS', '-m', '5', `http://${node.ip}:30080/hostname`),
          /^agnhost-/,
        );
      }
    });

    test('UDP through the Service', async () => {
      const [client] = agnhost;
      assert.ok(client !== undefined);
      const answer = await lab.execInPod(client.name, 'sh', '-c', 'echo -n hostname | nc -u -w 1 agnhost 81');
      assert.match(answer, /^agnhost-/);
    });

    test('nginx: by DNS name from a Pod on another node', async () => {
      const [server] = await podsOf(lab, 'run=my-nginx');
      const client = agnhost.find((pod) => pod.node !== server?.node);
      assert.ok(client !== undefined);
      assert.match(
        await lab.execInPod(client.name, 'curl', '-sS', '-m', '5', 'http://my-nginx'),
        /Welcome to nginx/,
      );
    });

    test('redis: both followers replicate from redis-leader by its name', async () => {
      const followers = await podsOf(lab, 'app=redis,role=follower');
      assert.equal(followers.length, 2);
      for (const pod of followers)
        await eventually(async () => {
          const info = await lab.kubectl('exec', pod.name, '--', 'redis-cli', 'info', 'replication');
          assert.match(info, /master_host:redis-leader/);
          assert.match(info, /master_link_status:up/);
        });
    });

    test('hello-app: five replicas answer on their own addresses', async () => {
      const pods = await podsOf(lab, 'app.kubernetes.io/name=load-balancer-example');
      assert.equal(pods.length, 5);
      for (const pod of pods)
        assert.match(
          await lab.exec('node1', 'curl', '-sS', '-m', '5', `http://${pod.ip}:8080`),
          new RegExp(`Hostname: ${pod.name}`),
        );
    });

    test('kubernetes.default: Pods reach the API server through its Service, with their service account', async () => {
      const [client] = agnhost;
      assert.ok(client !== undefined);
      const script = `cd /var/run/secrets/kubernetes.io/serviceaccount && curl -sS -m 5 --cacert ca.crt \
        -H "Authorization: Bearer $(cat token)" https://kubernetes.default.svc.cluster.local/api/v1/namespaces/default`;
      const namespace: unknown = JSON.parse(await lab.execInPod(client.name, 'sh', '-c', script));
      assert.partialDeepStrictEqual(namespace, { kind: 'Namespace', metadata: { name: 'default' } });
    });

    test('a closed port and a Service without endpoints are refused at once', async () => {
      await lab.kubectl('create', 'service', 'clusterip', 'nobody', '--tcp=80:80');
      const [client] = agnhost;
      assert.ok(client !== undefined);
      for (const url of ['http://agnhost:82', 'http://nobody'])
        await eventually(async () => {
          const refused = await lab.runKubectl(['exec', client.name, '--', 'curl', '-sS', '-m', '5', url]);
          // curl's exit code 7: the connection was refused; an unanswered one would be 28.
          assert.match(refused.stderr, /exit code 7\b/, `${url}: ${refused.stderr}`);
        });
    });

    test('endpoints follow the Pods: a deleted Pod gets no new connection, its replacement does', async () => {
      const [client, victim] = agnhost;
      assert.ok(client !== undefined && victim !== undefined);
      await lab.kubectl('delete', 'pod', victim.name, '--wait=true');
      await lab.kubectl('rollout', 'status', 'deployment/agnhost', '--timeout=30s');
      const now = (await podsOf(lab, 'app=agnhost')).map((pod) => pod.name).sort();
      assert.ok(!now.includes(victim.name));
      await eventually(async () => {
        const script = 'for i in $(seq 40); do curl -sS -m 5 http://agnhost/hostname; echo; done';
        const answers = await lab.execInPod(client.name, 'sh', '-c', script);
        assert.deepEqual([...new Set(answers.split('\n').filter((line) => line !== ''))].sort(), now);
      });
    });
  });
}

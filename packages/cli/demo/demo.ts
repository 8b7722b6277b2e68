import { SERVICES, type Service } from '#kube-api';
import { createKubeClient, type KubeClient, loadKubeconfig } from '#kube-client';
import { DEFAULT_LAB_OPTIONS, labDown, labsDirectory, labUp, type UpResult } from '#lab';
import { errorMessage } from '#runtime';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { InterruptedError } from '../interruption.ts';
import { formatTable } from '../table.ts';
import { createExample, EXAMPLES } from './examples.ts';
import { createInside, type Inside } from './inside.ts';
import { Narrator } from './narrator.ts';
import { awaitDeployments, DemoError, type PlacedPod, placedPods, withLabel } from './pods.ts';

const PODS_TIMEOUT_MS = 90_000;
const NODE_PORT = 30_080;
const CURL = [
  'curl',
  '--silent',
  '--show-error',
  '--fail',
  '--max-time',
  '5',
  '--retry',
  '3',
  '--retry-connrefused',
];

interface Scene {
  readonly client: KubeClient;
  readonly inside: Inside;
  readonly narrator: Narrator;
  readonly up: UpResult;
}

/** `podway demo`: one lab, from nothing to nothing. @returns 0 only when every step showed what it is there to show */
export async function runDemo(
  context: CommandContext,
  { keep }: { readonly keep: boolean },
): Promise<number> {
  const { terminal, environment } = context;
  const labs = labsDirectory(environment);
  const name = `demo-${process.pid}`;
  const signal = context.interruption();
  const narrator = new Narrator(terminal);
  let ended = false;
  try {
    narrator.step(
      'A cluster of three nodes, on this machine',
      'Each node is a network namespace with an agent of its own, which keeps routes, Service rules and DNS there.\nA router joins them; an "outside" client sits behind it. An API server speaks to kubectl.',
    );
    narrator.command(`podway lab up --name ${name}`);
    const up = await labUp({
      labs,
      name,
      options: { nodes: DEFAULT_LAB_OPTIONS.nodes },
      program: context.program,
      environment,
      startedAt: context.startedAt,
      onMark: ({ part, at }) => terminal.progress(`   ${(at / 1000).toFixed(2)} s  ${part}`),
      signal,
    });
    terminal.progress('');
    narrator.show(
      formatTable(
        ['NODE', 'ADDRESS', 'POD CIDR'],
        up.nodes.map(({ name, ips, podCIDRs }) => [name, ips.join(','), podCIDRs.join(',')]),
      ),
    );
    narrator.seen(`all nodes Ready after ${seconds(up.bootMilliseconds)}`);
    if (up.dnsMilliseconds === null) throw new DemoError('DNS did not answer in a Pod');
    narrator.seen(`DNS answered in a Pod after ${seconds(up.dnsMilliseconds)}`);
    using client = createKubeClient(await loadKubeconfig({ paths: [up.kubeconfig] }));
    const scene = { client, inside: createInside(labs, name, signal), narrator, up };
    const pods = await runExamples(scene, signal);
    await fetchByName(scene, pods);
    await fetchFromOutside(scene);
    await replicateByName(scene, pods);
    await seeClientAddress(scene, pods);
    narrator.step(
      keep ? 'The lab stays' : 'And all of it goes',
      'Every process, namespace, link and file of the lab hangs on one process.',
    );
    if (keep)
      narrator.show(`export KUBECONFIG=${up.kubeconfig}\nend it with: podway lab down --name ${name}`);
    else {
      narrator.command(`podway lab down --name ${name}`);
      labDown(labs, name);
      narrator.seen('nothing is left');
    }
    ended = true;
    return EXIT.ok;
  } catch (error) {
    terminal.progress('');
    if (error instanceof InterruptedError || signal.aborted) throw signal.aborted ? signal.reason : error;
    terminal.err(`podway demo: this was not seen: ${errorMessage(error)}`);
    if (keep) terminal.err(`the lab stays: podway lab status --name ${name}`);
    return EXIT.failed;
  } finally {
    if (!ended && !(keep && !signal.aborted)) labDown(labs, name);
  }
}

async function runExamples(
  { client, narrator, up }: Scene,
  signal: AbortSignal,
): Promise<readonly PlacedPod[]> {
  narrator.step(
    "Kubernetes' own examples, unchanged",
    "An image's name stands for a command of this machine: nginx and redis below are the real ones, in Pods.\nBy hand: podway lab kubectl -- apply -f examples/my-nginx.yaml",
  );
  narrator.show('');
  for (const file of EXAMPLES) {
    const created = await createExample(client, file);
    narrator.show(`examples/${file}: ${created.join(', ')} created`);
  }
  const started = performance.now();
  await awaitDeployments(client, PODS_TIMEOUT_MS, signal);
  const pods = await placedPods(client);
  const services = await client.list(SERVICES, { namespace: 'default' });
  narrator.show('');
  narrator.show(
    formatTable(
      ['NODE', 'ADDRESS', 'PODS'],
      up.nodes.map(({ name, ips }) => [
        name,
        ips.join(','),
        String(pods.filter(({ node }) => node === name).length),
      ]),
    ),
  );
  narrator.show('');
  narrator.show(
    formatTable(
      ['POD', 'NODE', 'ADDRESS', 'IMAGE'],
      pods.map(({ name, node, ip, images }) => [name, node, ip, images.join(',')]),
    ),
  );
  narrator.show('');
  narrator.show(
    formatTable(
      ['SERVICE', 'TYPE', 'CLUSTER IP', 'PORTS'],
      services.items.map(({ metadata, spec }) => [
        metadata?.name ?? '',
        spec?.type ?? '',
        spec?.clusterIP ?? '',
        (spec?.ports ?? []).map(({ port, protocol }) => `${port}/${protocol}`).join(','),
      ]),
    ),
  );
  narrator.seen(
    `${pods.length} Pods run and are ready, ${seconds(performance.now() - started)} after the last was asked for`,
  );
  return pods;
}

async function fetchByName({ inside, narrator }: Scene, pods: readonly PlacedPod[]): Promise<void> {
  narrator.step(
    'nginx by its name, from a Pod on another node',
    'The name is answered by the DNS server of the Pod\'s own node; the address is a virtual one, which nftables on\nthat node rewrites to one of the nginx Pods; the route to their nodes is the "host-gw" Pod network.',
  );
  const servers = withLabel(pods, 'run', 'my-nginx');
  const client = pods.find(({ node }) => servers.every((server) => server.node !== node));
  if (client === undefined) throw new DemoError('every node with Pods has an nginx, too');
  const words = [...CURL, 'http://my-nginx.default.svc.cluster.local/'];
  narrator.command(
    `podway lab exec -n default ${client.name} -- curl http://my-nginx.default.svc.cluster.local/`,
  );
  const page = await inside.pod(client.name, words);
  const title = /<title>(.*)<\/title>/.exec(page)?.[1];
  if (title === undefined || !page.includes('nginx'))
    throw new DemoError(`not nginx's page: ${page.slice(0, 200)}`);
  narrator.show(`<title>${title}</title>`);
  const where = servers.map(({ node, ip }) => `${ip} on ${node}`).join(', ');
  narrator.seen(`${client.name} on ${client.node} was answered by nginx, which runs at ${where}`);
}

async function fetchFromOutside({ client, inside, narrator, up }: Scene): Promise<void> {
  narrator.step(
    'nginx from outside the cluster, by a port of any node',
    'A NodePort Service opens one port on every node, whether an nginx runs there or not.',
  );
  narrator.show(`
Service my-nginx-outside: type NodePort, nodePort ${NODE_PORT}, selector run=my-nginx`);
  await client.create(SERVICES, nodePortService());
  for (const { name, ip } of up.nodes) {
    narrator.command(`podway lab exec outside -- curl http://${ip}:${NODE_PORT}/`);
    const page = await inside.place('outside', [...CURL, '--retry-all-errors', `http://${ip}:${NODE_PORT}/`]);
    const title = /<title>(.*)<\/title>/.exec(page)?.[1];
    if (title === undefined) throw new DemoError(`no page from ${name}: ${page.slice(0, 200)}`);
    narrator.show(`<title>${title}</title>`);
  }
  narrator.seen('all three nodes answered a client at 198.51.100.10');
}

function nodePortService(): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'my-nginx-outside', namespace: 'default' },
    spec: {
      type: 'NodePort',
      selector: { run: 'my-nginx' },
      ports: [{ port: 80, protocol: 'TCP', nodePort: NODE_PORT }],
    },
  };
}

async function replicateByName({ inside, narrator }: Scene, pods: readonly PlacedPod[]): Promise<void> {
  narrator.step(
    'Two redis followers find their leader by name',
    'They were told "redis-leader" and nothing else: DNS, Service and Pod network together make the replication.',
  );
  const redis = pods.filter(({ labels }) => labels['tier'] === 'backend');
  const [leader] = withLabel(redis, 'role', 'leader');
  for (const follower of withLabel(redis, 'role', 'follower')) {
    narrator.command(`podway lab exec -n default ${follower.name} -- redis-cli info replication`);
    const info = await replication(inside, follower.name);
    narrator.show(info.filter((line) => /^(role|master_host|master_link_status):/.test(line)).join('\n'));
    if (!info.includes('master_link_status:up') || !info.includes('master_host:redis-leader'))
      throw new DemoError(`${follower.name} does not replicate from redis-leader`);
    narrator.seen(`${follower.name} on ${follower.node} replicates from the leader on ${leader?.node}`);
  }
}

/** The first synchronisation takes redis a moment. */
async function replication(inside: Inside, pod: string): Promise<readonly string[]> {
  const end = performance.now() + 15_000;
  for (;;) {
    const info = (await inside.pod(pod, ['redis-cli', 'info', 'replication'])).split(/\r?\n/);
    if (info.includes('master_link_status:up') || performance.now() > end) return info;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function seeClientAddress({ inside, narrator }: Scene, pods: readonly PlacedPod[]): Promise<void> {
  narrator.step(
    "A server sees the client Pod's own address",
    'Between Pods nothing rewrites the source, also not across nodes and behind a Service.',
  );
  const redis = pods.filter(({ labels }) => labels['tier'] === 'backend');
  const [leader] = withLabel(redis, 'role', 'leader');
  const client = pods.find(({ node }) => node !== leader?.node);
  if (leader === undefined || client === undefined) throw new DemoError('all Pods are on one node');
  narrator.command(`podway lab exec -n default ${client.name} -- redis-cli -h redis-leader client list`);
  const list = await inside.pod(client.name, ['redis-cli', '-h', 'redis-leader', 'client', 'list']);
  const own = list.split(/\r?\n/).find((line) => line.includes('cmd=client'));
  const address = /\baddr=([^ ]+):\d+ /.exec(own ?? '')?.[1];
  narrator.show((own ?? list).slice(0, 100));
  if (address !== client.ip) throw new DemoError(`redis saw ${address}, and the client Pod has ${client.ip}`);
  narrator.seen(`redis on ${leader.node} saw ${address}: the address of ${client.name} on ${client.node}`);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { text } from 'node:stream/consumers';
import type { Kernel, NetworkNamespace } from '#kernel';
import { CniInvoker } from '#kubelet';
import { type AddressPlan, CLUSTER_DOMAIN } from './addresses.ts';
import { nodePaths } from './agent-process.ts';
import { LabError } from './errors.ts';
import { netnsPath } from './paths.ts';

export interface DnsProbeOptions {
  readonly kernel: Kernel;
  /** Of the cluster DNS, and of what is asked for. */
  readonly plan: AddressPlan;
  readonly node: string;
  /** The node's own namespace, which its CNI executable runs in. */
  readonly netns: NetworkNamespace;
  readonly timeoutMs: number;
}

/** Asks again and again until the one right answer comes; argv: server, name, address. */
const ASK = `
const { Resolver } = require('node:dns').promises;
const [server, name, address] = process.argv.slice(1);
const resolver = new Resolver({ timeout: 250, tries: 1 });
resolver.setServers([server]);
const ask = () => resolver.resolve(name, address.includes(':') ? 'AAAA' : 'A').then(
  (found) => (found.length === 1 && found[0] === address ? process.exit(0) : setTimeout(ask, 20)),
  () => setTimeout(ask, 20));
ask();`;

/**
 * Attaches a Pod's network by the CNI executable, as a container runtime does, and resolves when a process in it has
 * had the right answer to `kubernetes.default.svc`. @throws LabError, or what the CNI executable said
 */
export async function probeDns({ kernel, plan, node, netns, timeoutMs }: DnsProbeOptions): Promise<void> {
  const paths = nodePaths(node);
  const id = randomUUID();
  const netnsFile = netnsPath(`cni-${id}`);
  const cni = new CniInvoker({
    confDir: paths.cniConf,
    binDir: paths.cniBin,
    cacheDir: `${paths.state}/probe`,
    netns,
  });
  const attachment = {
    containerId: id,
    netnsPath: netnsFile,
    podNamespace: 'kube-system',
    podName: `podway-probe-${node}`,
    podUid: id,
    portMappings: [],
  };
  using pod = kernel.createNetns(netnsFile);
  try {
    await cni.add(attachment);
    await answered(
      pod.run(() =>
        spawn(
          process.execPath,
          ['-e', ASK, plan.clusterDns, `kubernetes.default.svc.${CLUSTER_DOMAIN}`, plan.kubernetes],
          { stdio: ['ignore', 'ignore', 'pipe'], timeout: timeoutMs },
        ),
      ),
      plan.clusterDns,
    );
  } finally {
    // The caller has its answer; taking the Pod's network away need not keep it waiting.
    void cni
      .del(attachment)
      .catch(() => {})
      .finally(() => kernel.deleteNetns(netnsFile));
  }
}

async function answered(child: ChildProcess, server: string): Promise<void> {
  const [said, code] = await Promise.all([
    child.stderr === null ? '' : text(child.stderr),
    new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', resolve);
    }),
  ]);
  if (code !== 0)
    throw new LabError(`no right answer from ${server} in time${said === '' ? '' : `: ${said.trim()}`}`);
}

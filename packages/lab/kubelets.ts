import { createWriteStream } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Cgroups } from '#cgroup';
import type { Kernel } from '#kernel';
import { createKubeClient, loadKubeconfig } from '#kube-client';
import {
  createImageTable,
  type ImageTable,
  imageHost,
  rootLayout,
  startKubelet,
  startKubeletApi,
} from '#kubelet';
import { errorMessage, type Logger, streamLogger } from '#runtime';
import { addressPlans, CLUSTER_DOMAIN, nodeAddress, nodeNames } from './addresses.ts';
import { nodePaths } from './agent-process.ts';
import type { PodProcess, PodRequest } from './control-socket.ts';
import { LabError } from './errors.ts';
import { imagesOf } from './images.ts';
import type { LabOptions } from './options.ts';
import { KUBELET_SOCKET, type LabPaths, logPath, netnsPath } from './paths.ts';

export interface KubeletsOptions {
  readonly options: LabOptions;
  readonly paths: LabPaths;
  readonly kernel: Kernel;
  readonly cgroups: Cgroups;
  /** The command that this program is run by. */
  readonly program: readonly string[];
  readonly logger: Logger;
}

/** A program gone wrong in a Pod must not take the machine with it; podman's default for a container is half of it. */
const POD_PIDS_LIMIT = 4096;

/** The kubelets of all nodes: objects of the supervisor's process. */
export interface Kubelets extends AsyncDisposable {
  /** @throws LabError when no such Pod, or container of it, runs */
  podProcess(request: PodRequest): PodProcess;
}

export async function startKubelets({
  options,
  paths,
  kernel,
  cgroups,
  program,
  logger,
}: KubeletsOptions): Promise<Kubelets> {
  await using parts = new AsyncDisposableStack();
  const plans = addressPlans(options.ipFamily);
  const images = await imageTable(options, program);
  const layout = rootLayout('/run/podway', logger);
  const start = async (nodeName: string, index: number) => {
    const node = nodePaths(nodeName);
    const config = await loadKubeconfig({ paths: [node.kubeconfig] });
    const client = parts.use(createKubeClient(config, {}, { userAgent: `podway-kubelet/${nodeName}` }));
    const log = createWriteStream(logPath(paths, `kubelet-${nodeName}`), { flags: 'a', mode: 0o600 });
    // On a full disk the cluster goes on without this log.
    log.on('error', (error) =>
      logger.warn('the kubelet logs no more', { node: nodeName, error: errorMessage(error) }),
    );
    const kubelet = await startKubelet({
      nodeName,
      nodeAddresses: plans.map((plan) => nodeAddress(plan, index + 1)),
      netnsPath: netnsPath(nodeName),
      runDir: node.directory,
      cniConfDir: node.cniConf,
      cniBinDir: node.cniBin,
      logDir: join(paths.logs, 'pods'),
      client,
      kernel,
      clusterDns: [plans[0].clusterDns],
      clusterDomain: CLUSTER_DOMAIN,
      images,
      layout,
      cgroups,
      podPidsLimit: POD_PIDS_LIMIT,
      visiblePaths: visiblePaths(program),
      logger: streamLogger('info', log),
    });
    return parts.use(kubelet);
  };
  const kubelets = await Promise.all(nodeNames(options.nodes).map(start));
  parts.use(await startKubeletApi({ socketPath: KUBELET_SOCKET, kubelets, logger }));
  const owned = parts.move();
  return {
    podProcess: ({ namespace, name, container }) => {
      const pod = kubelets
        .map((kubelet) => kubelet.findPod(namespace, name))
        .find((found) => found !== undefined);
      if (pod === undefined) throw new LabError(`there is no Pod ${name} in namespace ${namespace}`);
      const found = pod.containers.find(
        (each) => (container === undefined && each.kind === 'app') || each.name === container,
      );
      const running = found?.running;
      if (running === undefined)
        throw new LabError(
          `container ${container ?? found?.name ?? ''} of Pod ${namespace}/${name} does not run`,
        );
      return {
        pid: running.process.pid,
        environment: [...running.env].map(([variable, value]) => `${variable}=${value}`),
      };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function imageTable(options: LabOptions, program: readonly string[]): Promise<ImageTable> {
  return createImageTable({
    host: await imageHost(),
    builtinCommand: [...program, 'builtin'],
    overrides: imagesOf(options),
  });
}

/** Where this program and its Node lie: built-in servers run from there inside Pods. */
function visiblePaths(program: readonly string[]): readonly string[] {
  return program.filter((word) => word.startsWith('/')).map((path) => dirname(path));
}

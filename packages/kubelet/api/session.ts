import { type IpAddress, parseIp } from '#ip';
import { connectIn } from '#kernel';
import type { Clock } from '#runtime';
import type { Kubelet } from '../kubelet.ts';
import type { ManagedContainer } from '../pod/managed-container.ts';
import type { PodWorker } from '../pod/pod-worker.ts';
import type { Channels, StreamRequest } from '../streaming/channels.ts';
import type { PortForwardTarget } from '../streaming/port-forward.ts';
import { serveAttach, serveExec } from '../streaming/run-streams.ts';
import { RequestError } from './request-error.ts';
import { type KubeletRoute, streamRequest } from './route.ts';

/** What an upgraded connection carries. */
export type Session =
  | { readonly kind: 'portForward'; readonly target: PortForwardTarget }
  | {
      readonly kind: 'command';
      readonly request: StreamRequest;
      readonly serve: (channels: Channels) => Promise<void>;
    };

export type SessionRoute = Exclude<KubeletRoute, { kind: 'containerLogs' | 'healthz' }>;

const LOCALHOST = parseIp('127.0.0.1');
const LOCALHOST6 = parseIp('::1');
const CONNECT_TIMEOUT_MS = 10_000;

/** What is to be served, with everything checked that can be before the upgrade. @throws RequestError */
export function openSession(route: SessionRoute, kubelets: readonly Kubelet[], clock: Clock): Session {
  const worker = findPod(kubelets, route.namespace, route.pod);
  if (route.kind === 'portForward')
    return { kind: 'portForward', target: forwardTarget(worker, `${route.namespace}/${route.pod}`, clock) };
  const container = findContainer(worker, route.container);
  const running = container.running;
  if (running === undefined) throw new RequestError(500, `container not found ("${route.container}")`);
  const request = streamRequest(route.query);
  if (route.kind === 'attach')
    return {
      kind: 'command',
      request,
      serve: (channels) => serveAttach(running, container.container.stdinOnce === true, request, channels),
    };
  const argv = route.query.getAll('command');
  if (argv.length === 0) throw new RequestError(400, 'you must specify at least one command');
  return { kind: 'command', request, serve: (channels) => serveExec(running, argv, request, channels) };
}

/** @throws RequestError */
export function findPod(kubelets: readonly Kubelet[], namespace: string, name: string): PodWorker {
  for (const kubelet of kubelets) {
    const found = kubelet.findPod(namespace, name);
    if (found !== undefined) return found;
  }
  throw new RequestError(404, `pod "${name}" not found`);
}

/** @throws RequestError */
export function findContainer(worker: PodWorker, name: string): ManagedContainer {
  const found = worker.containers.find((container) => container.name === name);
  if (found === undefined)
    throw new RequestError(404, `container "${name}" not found in pod "${worker.pod.metadata?.name ?? ''}"`);
  return found;
}

function forwardTarget({ sandbox, pod }: PodWorker, podText: string, clock: Clock): PortForwardTarget {
  if (sandbox === undefined) throw new RequestError(500, `pod "${pod.metadata?.name ?? ''}" is not running`);
  return {
    clock,
    podText,
    async connect(port) {
      const timeout = new AbortController();
      using _timer = clock.setTimer(CONNECT_TIMEOUT_MS, () =>
        timeout.abort(new Error('connection timed out')),
      );
      const connect = (host: IpAddress) => connectIn(sandbox.netns, host, port, { signal: timeout.signal });
      // The Pod's localhost, whichever family its server listens on.
      return await connect(LOCALHOST).catch((error: unknown) =>
        connect(LOCALHOST6).catch(() => {
          throw error;
        }),
      );
    },
  };
}

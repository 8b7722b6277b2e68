import type { Cgroups } from '#cgroup';
import type { NetworkNamespace } from '#kernel';
import type { Pod } from '#kube-api';
import type { EventRecorder } from '#kube-client';
import type { Clock, Logger, Random } from '#runtime';
import type { ImageTable } from '../images/resolve.ts';
import type { EnvironmentContext } from '../plan/environment.ts';
import type { ExecSpec } from '../runtime/container-exec.ts';
import type { ContainerProcess } from '../runtime/container-process.ts';
import type { RootLayout } from '../runtime/root-layout.ts';
import type { OutputStream } from '../runtime/stdio.ts';

/** What all containers of a node share. */
export interface ContainerDeps {
  readonly images: ImageTable;
  /** Only one user exists: runAsUser cannot be followed. */
  readonly singleUser: boolean;
  readonly layout: () => Promise<RootLayout>;
  /** What enforces limits. */
  readonly cgroups: Cgroups;
  readonly recorder: EventRecorder;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** What a container's start needs of its Pod. */
export interface ContainerStartContext {
  readonly pod: Pod;
  readonly netns: NetworkNamespace;
  readonly podIp: string;
  readonly hostname: string;
  readonly environment: Omit<EnvironmentContext, 'imageEnvironment'>;
  /** Where each volume is. */
  readonly volumes: ReadonlyMap<string, string>;
  /** Files that the kubelet itself provides: /etc/resolv.conf and the like. */
  readonly files: Readonly<Record<string, string>>;
  /** Directories of the host that must be visible, such as Podway's own. */
  readonly visible: readonly string[];
}

/** A live container, for those who stream to and from it. */
export interface RunningContainer {
  readonly process: ContainerProcess;
  readonly tty: boolean;
  readonly netns: NetworkNamespace;
  /** What its processes are started with, and commands run in it are. */
  readonly env: ReadonlyMap<string, string>;
  exec(options: Pick<ExecSpec, 'argv' | 'tty' | 'stdin' | 'onOutput'>): ContainerProcess;
  /** Output as it comes, until disposed. */
  onOutput(listener: (stream: OutputStream, chunk: Buffer) => void): Disposable;
}

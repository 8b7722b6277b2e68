import type { Kernel } from '#kernel';
import type { Topology } from './apply-topology.ts';
import type { PodProcess } from './control-socket.ts';
import type { LabPaths } from './paths.ts';
import type { LabRecord } from './records.ts';

export interface KubeletsOptions {
  readonly names: readonly string[];
  readonly record: LabRecord;
  readonly paths: LabPaths;
  readonly topology: Topology;
  readonly kernel: Kernel;
  readonly program: readonly string[];
}

export interface Kubelets extends AsyncDisposable {
  podProcess(pod: {
    readonly namespace: string;
    readonly name: string;
    readonly container: string | undefined;
  }): Promise<PodProcess>;
}

export async function startKubelets(_options: KubeletsOptions): Promise<Kubelets> {
  return {
    podProcess: async () => ({ pid: 0 }),
    [Symbol.asyncDispose]: async () => {},
  };
}

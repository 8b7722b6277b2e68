import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ResolvedImage } from '../images/resolve.ts';
import type { ContainerPlan } from '../plan/container-plan.ts';
import { ContainerRoot } from '../runtime/container-root.ts';
import type { RootLayout } from '../runtime/root-layout.ts';
import type { ContainerStartContext } from './container-context.ts';

/** The file in a container's own directory that is mounted at its `terminationMessagePath`. */
export const TERMINATION_LOG = 'termination-log';

/** Lays out the root of one container: the image's files, the kubelet's own, and the volumes. @throws PodConfigError */
export function buildRoot(
  dir: string,
  layout: RootLayout,
  image: ResolvedImage,
  plan: ContainerPlan,
  context: ContainerStartContext,
): ContainerRoot {
  rmSync(dir, { recursive: true, force: true });
  const root = new ContainerRoot(dir, layout, { hostTerminals: plan.tty });
  for (const path of context.visible) root.bindHost(path);
  for (const [path, content] of Object.entries(image.files)) root.writeFile(path, content);
  for (const [name, command] of Object.entries(image.links))
    root.link(`/usr/bin/${command}`, `/usr/local/bin/${name}`);
  for (const [path, content] of Object.entries(context.files)) root.writeFile(path, content);
  // Parents before what is mounted inside them.
  for (const mount of plan.mounts.toSorted((a, b) => a.target.length - b.target.length)) {
    const volume = context.volumes.get(mount.volume);
    if (volume !== undefined) root.bindVolume(volume, mount.subPath, mount.target, mount.readOnly);
  }
  const message = join(dir, TERMINATION_LOG);
  writeFileSync(message, '', { mode: 0o666 });
  root.bind(message, plan.terminationMessagePath);
  root.makeDirectory(plan.workingDir);
  return root;
}

import type { Container, Pod } from '#kube-api';
import type { ResolvedImage } from '../images/resolve.ts';
import { containerEnvironment, type EnvironmentContext } from './environment.ts';
import { PodConfigError } from './errors.ts';
import { expandReferences } from './expand.ts';

/** Everything a container's start needs to know, with nothing left to decide. */
export interface ContainerPlan {
  readonly argv: readonly string[];
  readonly env: ReadonlyMap<string, string>;
  readonly workingDir: string;
  readonly mounts: readonly ContainerMount[];
  /** undefined: as the supervisor, which is root in its user namespace. */
  readonly user: { readonly uid: number; readonly gid: number } | undefined;
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly terminationMessagePath: string;
}

export interface ContainerMount {
  readonly volume: string;
  /** Inside the volume, '' for all of it. */
  readonly subPath: string;
  readonly target: string;
  readonly readOnly: boolean;
}

/** @throws PodConfigError */
export function containerPlan(
  pod: Pod,
  container: Container,
  image: ResolvedImage,
  context: Omit<EnvironmentContext, 'imageEnvironment'>,
): ContainerPlan {
  const env = containerEnvironment(pod, container, { ...context, imageEnvironment: image.env });
  const argv = commandLine(container, image, env);
  if (argv.length === 0) throw new PodConfigError('no command specified');
  return {
    argv,
    env,
    workingDir: container.workingDir ?? image.workingDir,
    mounts: (container.volumeMounts ?? []).map((mount) => ({
      volume: mount.name,
      subPath: subPath(mount.subPath, mount.subPathExpr, env),
      target: mount.mountPath,
      readOnly: mount.readOnly === true,
    })),
    user: containerUser(pod, container),
    tty: container.tty === true,
    stdin: container.stdin === true,
    terminationMessagePath: container.terminationMessagePath ?? '/dev/termination-log',
  };
}

/** `command` replaces the image's ENTRYPOINT and with it its CMD; `args` replaces CMD. */
function commandLine(
  container: Container,
  image: ResolvedImage,
  env: ReadonlyMap<string, string>,
): readonly string[] {
  const expand = (words: readonly string[] | undefined) =>
    (words ?? []).map((word) => expandReferences(word, (name) => env.get(name)));
  const command = expand(container.command);
  const args = expand(container.args);
  if (command.length > 0) return [...command, ...args];
  return [...image.entrypoint, ...(args.length > 0 ? args : image.cmd)];
}

function containerUser(pod: Pod, container: Container): ContainerPlan['user'] {
  const uid = container.securityContext?.runAsUser ?? pod.spec?.securityContext?.runAsUser;
  const gid = container.securityContext?.runAsGroup ?? pod.spec?.securityContext?.runAsGroup;
  return uid === undefined && gid === undefined ? undefined : { uid: uid ?? 0, gid: gid ?? 0 };
}

function subPath(
  plain: string | undefined,
  expression: string | undefined,
  env: ReadonlyMap<string, string>,
): string {
  const path = plain ?? expandReferences(expression ?? '', (name) => env.get(name));
  if (path.startsWith('/') || path.split('/').includes('..'))
    throw new PodConfigError(`subPath "${path}" must be relative and without ".."`);
  return path;
}

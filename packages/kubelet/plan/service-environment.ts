import { hostInUrl } from '#ip';
import type { Service } from '#kube-api';

/**
 * The `X_SERVICE_HOST` variables: of the Pod's namespace with service links, and of `default/kubernetes` always.
 * Headless and ExternalName Services have none.
 */
export function serviceEnvironment(
  services: readonly Service[],
  namespace: string,
  enableServiceLinks: boolean,
): ReadonlyMap<string, string> {
  const env = new Map<string, string>();
  const chosen = services.filter(({ metadata, spec }) => {
    const master = metadata?.namespace === 'default' && metadata.name === 'kubernetes';
    const linked = enableServiceLinks && metadata?.namespace === namespace;
    return (master || linked) && spec?.clusterIP !== undefined && !['', 'None'].includes(spec.clusterIP);
  });
  for (const service of chosen) addService(env, service);
  return env;
}

function addService(env: Map<string, string>, service: Service): void {
  const ip = service.spec?.clusterIP ?? '';
  const ports = service.spec?.ports ?? [];
  const name = variableName(service.metadata?.name ?? '');
  const [first] = ports;
  if (first === undefined) return;
  env.set(`${name}_SERVICE_HOST`, ip);
  env.set(`${name}_SERVICE_PORT`, String(first.port));
  for (const port of ports)
    if (port.name !== undefined && port.name !== '')
      env.set(`${name}_SERVICE_PORT_${variableName(port.name)}`, String(port.port));
  for (const [index, port] of ports.entries()) {
    const protocol = (port.protocol ?? 'TCP').toLowerCase();
    const url = `${protocol}://${hostInUrl(ip)}:${port.port}`;
    if (index === 0) env.set(`${name}_PORT`, url);
    const prefix = `${name}_PORT_${port.port}_${protocol.toUpperCase()}`;
    env.set(prefix, url);
    env.set(`${prefix}_PROTO`, protocol);
    env.set(`${prefix}_PORT`, String(port.port));
    env.set(`${prefix}_ADDR`, ip);
  }
}

function variableName(name: string): string {
  return name.toUpperCase().replaceAll('-', '_');
}

import { isIp } from '#ip';
import { SERVICES, type Service, type ServicePort, type ServiceSpec } from '#kube-api';
import type { KindContext } from '../../registry/kind.ts';
import { invalid } from '../../status.ts';
import { type FieldError, invalidValue } from '../../validation/field-error.ts';
import { isHeadless, mayHaveNodePorts, needsHealthCheckPort, needsNodePorts } from './facts.ts';
import { inherit, withoutTypeDependent } from './inherit.ts';

/** Addresses, families and node ports: kept from the old object where it has them, chosen or checked where new. */
export function allocate(
  object: Service,
  old: Service | undefined,
  context: KindContext,
): Pick<Service, 'spec'> {
  const wanted = object.spec ?? {};
  const key = `${object.metadata?.namespace ?? ''}/${object.metadata?.name ?? ''}`;
  const errors: FieldError[] = [];
  const kept = inherit(withoutTypeDependent(wanted, old?.spec), old?.spec);
  let spec = allocateAddresses(kept, old?.spec, key, context, errors);
  spec = allocateNodePorts(spec, old?.spec, key, context, errors);
  spec = allocateHealthCheckPort(spec, key, context, errors);
  if (errors.length > 0) throw invalid(SERVICES, object.metadata?.name ?? '', errors);
  return { spec };
}

function allocateAddresses(
  spec: ServiceSpec,
  old: ServiceSpec | undefined,
  key: string,
  { services }: KindContext,
  errors: FieldError[],
): ServiceSpec {
  if (spec.type === 'ExternalName') {
    const { clusterIP, clusterIPs, ipFamilies, ipFamilyPolicy, ...rest } = spec;
    // Going to ExternalName gives the addresses back; naming one is for validation to refuse.
    const changed = old !== undefined && clusterIP !== undefined && clusterIP !== old.clusterIP;
    return old === undefined || changed ? { ...rest, ...(clusterIP !== undefined && { clusterIP }) } : rest;
  }
  const given = spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP]);
  if (
    spec.clusterIP !== undefined &&
    spec.clusterIPs !== undefined &&
    spec.clusterIPs[0] !== spec.clusterIP
  ) {
    errors.push(invalidValue('spec.clusterIPs', spec.clusterIPs, 'first value must match `clusterIP`'));
    return spec;
  }
  const available = services.families;
  const preferred =
    spec.ipFamilies?.[0] ?? (given[0]?.includes(':') ? 'IPv6' : undefined) ?? available[0] ?? 'IPv4';
  const policy =
    spec.ipFamilyPolicy ??
    (Math.max(spec.ipFamilies?.length ?? 0, given.length) > 1 ? 'RequireDualStack' : 'SingleStack');
  if (policy === 'RequireDualStack' && available.length < 2) {
    errors.push(
      invalidValue('spec.ipFamilyPolicy', policy, 'this cluster is not configured for dual-stack services'),
    );
    return spec;
  }
  for (const [i, family] of (spec.ipFamilies ?? []).entries())
    if (!(available as readonly string[]).includes(family))
      errors.push(invalidValue(`spec.ipFamilies[${i}]`, family, 'not configured on this cluster'));
  const families =
    policy === 'SingleStack'
      ? [preferred]
      : [preferred, ...available.filter((family) => family !== preferred)].slice(0, 2);
  if (isHeadless(spec))
    return { ...spec, clusterIP: 'None', clusterIPs: ['None'], ipFamilies: families, ipFamilyPolicy: policy };
  const addresses: string[] = [];
  for (const [i, family] of families.entries()) {
    const chosen = given.find((address) => (address.includes(':') ? 'IPv6' : 'IPv4') === family);
    const field = 'spec.clusterIPs';
    if (chosen !== undefined && isIp(chosen)) {
      const problem = services.addressProblem(chosen, key);
      if (problem !== undefined) errors.push(invalidValue(field, given, problem));
      addresses.push(chosen);
    } else if (given[i] !== undefined && given[i] !== '') {
      errors.push(
        invalidValue(
          `${field}[${i}]`,
          given[i],
          'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
        ),
      );
    } else {
      const next = services.nextAddress(family);
      if (next === undefined)
        errors.push(invalidValue(field, given, 'failed to allocate a serviceIP: range is full'));
      else addresses.push(next);
    }
  }
  return {
    ...spec,
    ...(addresses[0] !== undefined && { clusterIP: addresses[0] }),
    clusterIPs: addresses,
    ipFamilies: families,
    ipFamilyPolicy: policy,
  };
}

function allocateNodePorts(
  spec: ServiceSpec,
  old: ServiceSpec | undefined,
  key: string,
  { services }: KindContext,
  errors: FieldError[],
): ServiceSpec {
  if (spec.ports === undefined) return spec;
  if (!mayHaveNodePorts(spec)) {
    // An update away from NodePort gives the ports back; a create that names one is for validation to refuse.
    if (old === undefined || !mayHaveNodePorts(old)) return spec;
    return { ...spec, ports: spec.ports.map(({ nodePort: _released, ...port }) => port) };
  }
  const chosen = new Set(spec.ports.flatMap(({ nodePort }) => (nodePort ? [nodePort] : [])));
  const ports = spec.ports.map((port, i): ServicePort => {
    const protocol = port.protocol ?? 'TCP';
    if (port.nodePort) {
      const problem = services.nodePortProblem(protocol, port.nodePort, key);
      if (problem !== undefined)
        errors.push(invalidValue(`spec.ports[${i}].nodePort`, port.nodePort, problem));
      return port;
    }
    if (!needsNodePorts(spec)) return port;
    const next = services.nextNodePort(chosen);
    if (next === undefined) {
      errors.push(
        invalidValue(`spec.ports[${i}].nodePort`, 0, 'failed to allocate a nodePort: range is full'),
      );
      return port;
    }
    chosen.add(next);
    return { ...port, nodePort: next };
  });
  return { ...spec, ports };
}

function allocateHealthCheckPort(
  spec: ServiceSpec,
  key: string,
  { services }: KindContext,
  errors: FieldError[],
): ServiceSpec {
  if (!needsHealthCheckPort(spec)) return spec;
  if (spec.healthCheckNodePort) {
    const problem = services.nodePortProblem('TCP', spec.healthCheckNodePort, key);
    if (problem !== undefined)
      errors.push(invalidValue('spec.healthCheckNodePort', spec.healthCheckNodePort, problem));
    return spec;
  }
  const next = services.nextNodePort(new Set(spec.ports?.flatMap(({ nodePort }) => nodePort ?? []) ?? []));
  return next === undefined ? spec : { ...spec, healthCheckNodePort: next };
}

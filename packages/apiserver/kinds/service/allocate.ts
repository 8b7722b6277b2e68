import { SERVICES, type Service, type ServicePort, type ServiceSpec } from '#kube-api';
import type { KindContext } from '../../registry/kind.ts';
import { invalid } from '../../status.ts';
import { type FieldError, invalidValue } from '../../validation/field-error.ts';
import { allocateAddresses } from './allocate-addresses.ts';
import { mayHaveNodePorts, needsHealthCheckPort, needsNodePorts } from './facts.ts';
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

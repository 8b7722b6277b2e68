import { isIp } from '#ip';
import { SERVICES, type Service, type ServicePort, type ServiceSpec } from '#kube-api';
import { deepEqual } from '../json.ts';
import { defineKind, type KindContext } from '../registry/kind.ts';
import { invalid } from '../status.ts';
import { ageColumn, mapOrNone, nameColumn, text } from '../table/column.ts';
import {
  duplicate,
  type FieldError,
  forbiddenField,
  invalidValue,
  required,
} from '../validation/field-error.ts';
import {
  check,
  checkLabels,
  dns1035Label,
  dnsLabel,
  dnsSubdomain,
  portName,
  portNumber,
} from '../validation/names.ts';
import { checkOneOf } from './pod-template.ts';

const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];

export const service = defineKind<Service>({
  resource: SERVICES,
  definition: 'io.k8s.api.core.v1.Service',
  singular: 'service',
  shortNames: ['svc'],
  categories: ['all'],
  nameRule: dns1035Label,
  subresources: ['status'],
  selectableFields: ['spec.clusterIP', 'spec.type'],
  defaults: (object) => ({
    ...object,
    spec: defaultSpec(object.spec ?? {}),
    status: object.status ?? { loadBalancer: {} },
  }),
  create: (object, context) => ({
    ...object,
    status: { loadBalancer: {} },
    ...allocate(object, undefined, context),
  }),
  update: (object, old, context) => ({ ...object, ...allocate(object, old, context) }),
  validate: (object) => validateSpec(object.spec ?? {}),
  validateUpdate: (object, old) => validateUpdate(object.spec ?? {}, old.spec ?? {}),
  columns: [
    nameColumn,
    text('Type', ({ spec }) => spec?.type ?? ''),
    text('Cluster-IP', ({ spec }) => spec?.clusterIPs?.[0] ?? spec?.clusterIP ?? '<none>'),
    text('External-IP', externalAddress),
    text('Port(s)', portsColumn),
    ageColumn,
    text('Selector', ({ spec }) => mapOrNone(spec?.selector), { wide: true }),
  ],
});

const needsNodePorts = ({ type, allocateLoadBalancerNodePorts }: ServiceSpec) =>
  type === 'NodePort' || (type === 'LoadBalancer' && allocateLoadBalancerNodePorts !== false);
const mayHaveNodePorts = ({ type }: ServiceSpec) => type === 'NodePort' || type === 'LoadBalancer';
const isExternallyAccessible = (spec: ServiceSpec) =>
  mayHaveNodePorts(spec) || (spec.type !== 'ExternalName' && (spec.externalIPs ?? []).length > 0);
const needsHealthCheckPort = ({ type, externalTrafficPolicy }: ServiceSpec) =>
  type === 'LoadBalancer' && externalTrafficPolicy === 'Local';

/** Source: pkg/apis/core/v1/defaults.go SetDefaults_Service. */
function defaultSpec(spec: ServiceSpec): ServiceSpec {
  const type = spec.type ?? 'ClusterIP';
  const external = type === 'NodePort' || type === 'LoadBalancer';
  return {
    ...spec,
    type,
    sessionAffinity: spec.sessionAffinity ?? 'None',
    ...(spec.sessionAffinity === 'ClientIP' && {
      sessionAffinityConfig: {
        clientIP: { timeoutSeconds: spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800 },
      },
    }),
    ...(spec.ports !== undefined && {
      ports: spec.ports.map((port) => ({
        ...port,
        protocol: port.protocol ?? 'TCP',
        ...(!isHeadless(spec) || port.targetPort !== undefined
          ? { targetPort: targetPort(port) }
          : { targetPort: port.port }),
      })),
    }),
    ...(external && { externalTrafficPolicy: spec.externalTrafficPolicy ?? 'Cluster' }),
    ...(type !== 'ExternalName' && { internalTrafficPolicy: spec.internalTrafficPolicy ?? 'Cluster' }),
    ...(type === 'LoadBalancer' && {
      allocateLoadBalancerNodePorts: spec.allocateLoadBalancerNodePorts ?? true,
    }),
  };
}

function targetPort({ targetPort: target, port }: ServicePort): number | string {
  return target === undefined || target === 0 || target === '' ? port : target;
}

function isHeadless({ clusterIP, clusterIPs }: ServiceSpec): boolean {
  return clusterIP === 'None' || clusterIPs?.[0] === 'None';
}

/** Addresses, families and node ports: kept from the old object where it has them, chosen or checked where new. */
function allocate(object: Service, old: Service | undefined, context: KindContext): Pick<Service, 'spec'> {
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

/**
 * Fields that only the old type has a meaning for go with it, as long as the update leaves them as they were: who changes the
 * type need not know them. Source: pkg/registry/core/service/strategy.go dropTypeDependentFields.
 */
function withoutTypeDependent(spec: ServiceSpec, old: ServiceSpec | undefined): ServiceSpec {
  if (old === undefined) return spec;
  const goes = (field: string) =>
    TYPE_DEPENDENT.some(
      ([name, belongs]) =>
        name === field && belongs(old) && !belongs(spec) && deepEqual(spec[name], old[name]),
    );
  return Object.fromEntries(Object.entries(spec).filter(([field]) => !goes(field)));
}

const TYPE_DEPENDENT: readonly (readonly [keyof ServiceSpec, (spec: ServiceSpec) => boolean])[] = [
  ['externalTrafficPolicy', isExternallyAccessible],
  ['healthCheckNodePort', needsHealthCheckPort],
  ['allocateLoadBalancerNodePorts', ({ type }) => type === 'LoadBalancer'],
  ['loadBalancerClass', ({ type }) => type === 'LoadBalancer'],
];

/** What an update that does not name them keeps. Source: pkg/registry/core/service/storage patchAllocatedValues. */
function inherit(spec: ServiceSpec, old: ServiceSpec | undefined): ServiceSpec {
  if (old === undefined || spec.type === 'ExternalName') return spec;
  const oldClusterIP = old.type === 'ExternalName' ? undefined : old.clusterIP;
  const clusterIP = spec.clusterIP ?? spec.clusterIPs?.[0] ?? oldClusterIP;
  const sameAddress = clusterIP === oldClusterIP;
  const oldPorts = new Map(
    (old.ports ?? []).map((port) => [`${port.protocol ?? 'TCP'}/${port.port}`, port.nodePort] as const),
  );
  // Who changes the one without the other means both.
  const stale = !sameAddress && deepEqual(spec.clusterIPs, old.clusterIPs);
  const clusterIPs =
    stale && clusterIP !== undefined
      ? [clusterIP]
      : (spec.clusterIPs ?? (sameAddress ? old.clusterIPs : undefined));
  return {
    ...spec,
    ...(clusterIP !== undefined && { clusterIP }),
    ...(clusterIPs !== undefined && { clusterIPs }),
    ...(spec.ipFamilies === undefined &&
      old.ipFamilies !== undefined &&
      sameAddress && { ipFamilies: old.ipFamilies }),
    ...(spec.ipFamilyPolicy === undefined &&
      old.ipFamilyPolicy !== undefined && { ipFamilyPolicy: old.ipFamilyPolicy }),
    ...(needsNodePorts(spec) &&
      mayHaveNodePorts(old) &&
      spec.ports !== undefined && {
        ports: spec.ports.map((port) => {
          const inherited = port.nodePort || oldPorts.get(`${port.protocol ?? 'TCP'}/${port.port}`);
          return inherited ? { ...port, nodePort: inherited } : port;
        }),
      }),
    ...(needsHealthCheckPort(spec) &&
      spec.healthCheckNodePort === undefined &&
      old.healthCheckNodePort !== undefined && { healthCheckNodePort: old.healthCheckNodePort }),
  };
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

/** Source: pkg/apis/core/validation ValidateService. */
function validateSpec(spec: ServiceSpec): FieldError[] {
  const errors: FieldError[] = [];
  const ports = spec.ports ?? [];
  if (ports.length === 0 && !isHeadless(spec) && spec.type !== 'ExternalName')
    errors.push(required('spec.ports'));
  if (spec.type === 'LoadBalancer' && isHeadless(spec))
    errors.push(
      invalidValue('spec.clusterIPs[0]', 'None', "may not be set to 'None' for LoadBalancer services"),
    );
  if (spec.type === 'NodePort' && isHeadless(spec))
    errors.push(invalidValue('spec.clusterIPs[0]', 'None', "may not be set to 'None' for NodePort services"));
  if (spec.type === 'ExternalName') {
    if (spec.clusterIP !== undefined)
      errors.push(forbiddenField('spec.clusterIPs', 'may not be set for ExternalName services'));
    const name = (spec.externalName ?? '').replace(/\.$/, '');
    if (name === '') errors.push(required('spec.externalName'));
    else errors.push(...check('spec.externalName', name, dnsSubdomain));
  }
  errors.push(...checkOneOf('spec.type', spec.type, TYPES));
  errors.push(...checkOneOf('spec.sessionAffinity', spec.sessionAffinity, ['ClientIP', 'None']));
  errors.push(...checkOneOf('spec.externalTrafficPolicy', spec.externalTrafficPolicy, ['Cluster', 'Local']));
  errors.push(...checkOneOf('spec.internalTrafficPolicy', spec.internalTrafficPolicy, ['Cluster', 'Local']));
  errors.push(
    ...checkOneOf('spec.ipFamilyPolicy', spec.ipFamilyPolicy, [
      'SingleStack',
      'PreferDualStack',
      'RequireDualStack',
    ]),
  );
  if (spec.externalTrafficPolicy !== undefined && !isExternallyAccessible(spec))
    errors.push(
      invalidValue(
        'spec.externalTrafficPolicy',
        spec.externalTrafficPolicy,
        'may only be set for externally-accessible services',
      ),
    );
  const timeout = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds;
  if (timeout !== undefined && (timeout <= 0 || timeout > 86_400))
    errors.push(
      invalidValue(
        'spec.sessionAffinityConfig.clientIP.timeoutSeconds',
        timeout,
        'must be greater than 0 and less than 86400',
      ),
    );
  errors.push(...checkLabels('spec.selector', spec.selector));
  for (const [i, address] of (spec.externalIPs ?? []).entries())
    if (!isIp(address))
      errors.push(
        invalidValue(
          `spec.externalIPs[${i}]`,
          address,
          'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
        ),
      );
  errors.push(...validatePorts(spec, ports));
  return errors;
}

function validatePorts(spec: ServiceSpec, ports: readonly ServicePort[]): FieldError[] {
  const errors: FieldError[] = [];
  const names = new Set<string>();
  const numbers = new Set<string>();
  const nodePorts = new Set<string>();
  for (const [i, port] of ports.entries()) {
    const field = `spec.ports[${i}]`;
    if (ports.length > 1 && (port.name ?? '') === '') errors.push(required(`${field}.name`));
    else if (port.name !== undefined) {
      errors.push(...check(`${field}.name`, port.name, dnsLabel));
      if (names.has(port.name)) errors.push(duplicate(`${field}.name`, port.name));
      names.add(port.name);
    }
    for (const detail of portNumber(port.port))
      errors.push(invalidValue(`${field}.port`, port.port ?? 0, detail));
    errors.push(...checkOneOf(`${field}.protocol`, port.protocol, ['TCP', 'UDP', 'SCTP']));
    if (typeof port.targetPort === 'number')
      for (const detail of portNumber(port.targetPort))
        errors.push(invalidValue(`${field}.targetPort`, port.targetPort, detail));
    else if (port.targetPort !== undefined)
      errors.push(...check(`${field}.targetPort`, port.targetPort, portName));
    const number = `${port.protocol}/${port.port}`;
    if (numbers.has(number)) errors.push(duplicate(field, { port: port.port, protocol: port.protocol }));
    numbers.add(number);
    if (!port.nodePort) continue;
    if (!mayHaveNodePorts(spec))
      errors.push(forbiddenField(`${field}.nodePort`, `may not be used when \`type\` is '${spec.type}'`));
    const nodePort = `${port.protocol}/${port.nodePort}`;
    if (nodePorts.has(nodePort)) errors.push(duplicate(`${field}.nodePort`, port.nodePort));
    nodePorts.add(nodePort);
  }
  return errors;
}

function validateUpdate(spec: ServiceSpec, old: ServiceSpec): FieldError[] {
  if (spec.type === 'ExternalName' || old.type === 'ExternalName') return [];
  if (old.clusterIP === undefined || spec.clusterIP === old.clusterIP) return [];
  return [invalidValue('spec.clusterIPs[0]', spec.clusterIPs ?? [], 'may not change once set')];
}

function externalAddress({ spec, status }: Service): string {
  const listed = spec?.externalIPs ?? [];
  switch (spec?.type) {
    case 'LoadBalancer': {
      const ingress = (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip ?? hostname ?? '');
      const all = [...ingress, ...listed];
      return all.length > 0 ? all.join(',') : '<pending>';
    }
    case 'ExternalName':
      return spec.externalName ?? '<none>';
    default:
      return listed.length > 0 ? listed.join(',') : '<none>';
  }
}

function portsColumn({ spec }: Service): string {
  const ports = (spec?.ports ?? []).map(({ port, nodePort, protocol }) =>
    nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`,
  );
  return ports.length > 0 ? ports.join(',') : '<none>';
}

import { familyOf, hostInUrl, isIp } from '#ip';
import { ENDPOINT_SLICES, ENDPOINTS, type EndpointSlice, type Endpoints } from '#kube-api';
import { defineKind } from '../registry/kind.ts';
import { ageColumn, nameColumn, text } from '../table/column.ts';
import { check, checkIp, checkOneOf, checkPortNumber } from '../validation/checks.ts';
import {
  duplicate,
  type FieldError,
  invalidValue,
  notSupported,
  required,
} from '../validation/field-error.ts';
import { dnsLabel, dnsSubdomain } from '../validation/names.ts';

export const endpoints = defineKind<Endpoints>({
  resource: ENDPOINTS,
  definition: 'io.k8s.api.core.v1.Endpoints',
  singular: 'endpoints',
  shortNames: ['ep'],
  nameRule: dnsSubdomain,
  defaults: (object) => ({
    ...object,
    ...(object.subsets !== undefined && {
      subsets: object.subsets.map((subset) => ({
        ...subset,
        ...(subset.ports !== undefined && {
          ports: subset.ports.map((port) => ({ ...port, protocol: port.protocol ?? 'TCP' })),
        }),
      })),
    }),
  }),
  validate: validateEndpoints,
  columns: [nameColumn, text('Endpoints', endpointsColumn), ageColumn],
});

export const endpointSlice = defineKind<EndpointSlice>({
  resource: ENDPOINT_SLICES,
  definition: 'io.k8s.api.discovery.v1.EndpointSlice',
  singular: 'endpointslice',
  nameRule: dnsSubdomain,
  hasGeneration: true,
  defaults: (object) => ({
    ...object,
    endpoints: object.endpoints ?? [],
    ...(object.ports !== undefined && {
      ports: object.ports.map((port) => ({
        ...port,
        name: port.name ?? '',
        protocol: port.protocol ?? 'TCP',
      })),
    }),
  }),
  validate: validateSlice,
  validateUpdate: (object, old) =>
    object.addressType === old.addressType
      ? []
      : [invalidValue('addressType', object.addressType, 'field is immutable')],
  columns: [
    nameColumn,
    text('AddressType', ({ addressType }) => addressType),
    text('Ports', ({ ports }) =>
      ports === undefined ? '<unset>' : few((ports ?? []).map(({ port }) => String(port ?? '*'))),
    ),
    text('Endpoints', (object) =>
      few(
        (object.endpoints ?? []).flatMap(({ addresses }) => addresses),
        '<unset>',
      ),
    ),
    ageColumn,
  ],
});

/** The first three, and how many more there are. */
function few(items: readonly string[], none = '<unset>'): string {
  if (items.length === 0) return none;
  const rest = items.length - 3;
  return `${items.slice(0, 3).join(',')}${rest > 0 ? ` + ${rest} more...` : ''}`;
}

function endpointsColumn({ subsets }: Endpoints): string {
  const all = (subsets ?? []).flatMap(({ addresses = [], ports = [] }) =>
    ports.length === 0
      ? addresses.map(({ ip }) => ip)
      : ports.flatMap(({ port }) => addresses.map(({ ip }) => `${hostInUrl(ip)}:${port}`)),
  );
  return few(all, '<none>');
}

function validateEndpoints({ subsets }: Endpoints): FieldError[] {
  return (subsets ?? []).flatMap((subset, i) => {
    const field = `subsets[${i}]`;
    const errors: FieldError[] = [];
    if ((subset.addresses ?? []).length + (subset.notReadyAddresses ?? []).length === 0)
      errors.push(required(field, 'must specify `addresses` or `notReadyAddresses`'));
    for (const list of ['addresses', 'notReadyAddresses'] as const)
      for (const [j, { ip }] of (subset[list] ?? []).entries())
        errors.push(...checkIp(`${field}.${list}[${j}].ip`, ip));
    for (const [j, { port }] of (subset.ports ?? []).entries())
      errors.push(...checkPortNumber(`${field}.ports[${j}].port`, port));
    return errors;
  });
}

function validateSlice(object: EndpointSlice): FieldError[] {
  const errors: FieldError[] = [];
  if (object.addressType === undefined) errors.push(required('addressType'));
  errors.push(...checkOneOf('addressType', object.addressType, ['FQDN', 'IPv4', 'IPv6']));
  for (const [i, endpoint] of (object.endpoints ?? []).entries()) {
    const field = `endpoints[${i}].addresses`;
    if ((endpoint.addresses ?? []).length === 0)
      errors.push(required(field, 'must contain at least 1 address'));
    for (const [j, address] of (endpoint.addresses ?? []).entries())
      errors.push(...addressErrors(object.addressType, `${field}[${j}]`, address));
  }
  const names = new Set<string>();
  for (const [i, port] of (object.ports ?? []).entries()) {
    const name = port.name ?? '';
    if (name !== '') errors.push(...check(`ports[${i}].name`, name, dnsLabel));
    if (names.has(name)) errors.push(duplicate(`ports[${i}].name`, name));
    names.add(name);
    if (!['TCP', 'UDP', 'SCTP'].includes(port.protocol ?? ''))
      errors.push(notSupported(`ports[${i}].protocol`, port.protocol, ['TCP', 'UDP', 'SCTP']));
  }
  return errors;
}

function addressErrors(addressType: string, field: string, address: string): FieldError[] {
  switch (addressType) {
    case 'IPv4':
    case 'IPv6':
      return isIp(address) && familyOf(address) === addressType
        ? []
        : [invalidValue(field, address, `must be a valid ${addressType} address`)];
    case 'FQDN':
      return check(field, address, dnsSubdomain);
    default:
      return [];
  }
}

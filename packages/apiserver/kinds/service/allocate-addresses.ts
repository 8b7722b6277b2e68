import { isIp } from '#ip';
import type { ServiceSpec } from '#kube-api';
import type { KindContext } from '../../registry/kind.ts';
import { IP_PROBLEM } from '../../validation/checks.ts';
import { type FieldError, invalidValue } from '../../validation/field-error.ts';
import { isHeadless } from './facts.ts';

type Services = KindContext['services'];
type Family = Services['families'][number];

/**
 * The Service's addresses and their families: chosen where none are given, else checked.
 * @param key `namespace/name`
 * @param errors gets what is wrong
 */
export function allocateAddresses(
  spec: ServiceSpec,
  old: ServiceSpec | undefined,
  key: string,
  { services }: KindContext,
  errors: FieldError[],
): ServiceSpec {
  if (spec.type === 'ExternalName') return withoutAddresses(spec, old);
  const { clusterIP, clusterIPs } = spec;
  const given = clusterIPs ?? (clusterIP === undefined ? [] : [clusterIP]);
  if (clusterIP !== undefined && given[0] !== clusterIP) {
    errors.push(invalidValue('spec.clusterIPs', given, 'first value must match `clusterIP`'));
    return spec;
  }
  const choice = chooseFamilies(spec, given, services.families, errors);
  if (choice === undefined) return spec;
  if (isHeadless(spec)) return { ...spec, clusterIP: 'None', clusterIPs: ['None'], ...choice };
  const addresses = choice.ipFamilies.flatMap(
    (family, i) => addressOf(family, i, given, key, services, errors) ?? [],
  );
  return {
    ...spec,
    ...(addresses[0] !== undefined && { clusterIP: addresses[0] }),
    clusterIPs: addresses,
    ...choice,
  };
}

/** Going to ExternalName gives the addresses back; naming one is for validation to refuse. */
function withoutAddresses(spec: ServiceSpec, old: ServiceSpec | undefined): ServiceSpec {
  const { clusterIP, clusterIPs, ipFamilies, ipFamilyPolicy, ...rest } = spec;
  const changed = old !== undefined && clusterIP !== undefined && clusterIP !== old.clusterIP;
  return old === undefined || changed ? { ...rest, ...(clusterIP !== undefined && { clusterIP }) } : rest;
}

/** Undefined when the cluster has not what is asked for, which `errors` has then. */
function chooseFamilies(
  spec: ServiceSpec,
  given: readonly string[],
  available: readonly Family[],
  errors: FieldError[],
): { readonly ipFamilies: readonly string[]; readonly ipFamilyPolicy: string } | undefined {
  const asked = spec.ipFamilies ?? [];
  const preferred = asked[0] ?? (given[0]?.includes(':') ? 'IPv6' : (available[0] ?? 'IPv4'));
  const ipFamilyPolicy =
    spec.ipFamilyPolicy ?? (Math.max(asked.length, given.length) > 1 ? 'RequireDualStack' : 'SingleStack');
  if (ipFamilyPolicy === 'RequireDualStack' && available.length < 2) {
    const detail = 'this cluster is not configured for dual-stack services';
    errors.push(invalidValue('spec.ipFamilyPolicy', ipFamilyPolicy, detail));
    return undefined;
  }
  for (const [i, family] of asked.entries())
    if (!available.some((one) => one === family))
      errors.push(invalidValue(`spec.ipFamilies[${i}]`, family, 'not configured on this cluster'));
  const others = available.filter((family) => family !== preferred);
  const ipFamilies = ipFamilyPolicy === 'SingleStack' ? [preferred] : [preferred, ...others].slice(0, 2);
  return { ipFamilies, ipFamilyPolicy };
}

/** The i-th address: the given one of the family, else a free one. Undefined when there is none, which `errors` has then. */
function addressOf(
  family: string,
  i: number,
  given: readonly string[],
  key: string,
  services: Services,
  errors: FieldError[],
): string | undefined {
  const field = 'spec.clusterIPs';
  const chosen = given.find((address) => (address.includes(':') ? 'IPv6' : 'IPv4') === family);
  if (chosen !== undefined && isIp(chosen)) {
    const problem = services.addressProblem(chosen, key);
    if (problem !== undefined) errors.push(invalidValue(field, given, problem));
    return chosen;
  }
  if (given[i] !== undefined && given[i] !== '') {
    errors.push(invalidValue(`${field}[${i}]`, given[i], IP_PROBLEM));
    return undefined;
  }
  const next = services.nextAddress(family);
  if (next === undefined)
    errors.push(invalidValue(field, given, 'failed to allocate a serviceIP: range is full'));
  return next;
}

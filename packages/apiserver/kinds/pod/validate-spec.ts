import type { Container, PodSpec, PodTemplateSpec, Volume } from '#kube-api';
import {
  check,
  checkAnnotations,
  checkLabels,
  checkNotNegative,
  checkOneOf,
  checkRequired,
} from '../../validation/checks.ts';
import { duplicate, type FieldError, invalidValue, required } from '../../validation/field-error.ts';
import { dnsLabel, dnsSubdomain } from '../../validation/names.ts';
import { validateContainer } from './validate-container.ts';

const RESTART_POLICIES = ['Always', 'OnFailure', 'Never'];
const DNS_POLICIES = ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'];

export function validatePodTemplate(template: PodTemplateSpec, path: string): FieldError[] {
  return [
    ...checkLabels(`${path}.labels`, template.metadata?.labels),
    ...checkAnnotations(`${path}.annotations`, template.metadata?.annotations),
    ...validatePodSpec(template.spec ?? { containers: [] }, `${path}.spec`),
  ];
}

/** Source: pkg/apis/core/validation ValidatePodSpec. */
export function validatePodSpec(spec: PodSpec, path: string): FieldError[] {
  const names = new Set<string>();
  const volumes = new Set((spec.volumes ?? []).map(({ name }) => name));
  const containers = (list: readonly Container[] | undefined, field: string) =>
    (list ?? []).flatMap((container, i) =>
      validateContainer(container, `${path}.${field}[${i}]`, names, volumes),
    );
  const errors = validateVolumeNames(spec.volumes ?? [], `${path}.volumes`);
  if ((spec.containers ?? []).length === 0) errors.push(required(`${path}.containers`));
  errors.push(
    ...containers(spec.containers, 'containers'),
    ...containers(spec.initContainers, 'initContainers'),
    ...containers(spec.ephemeralContainers, 'ephemeralContainers'),
  );
  errors.push(...checkOneOf(`${path}.restartPolicy`, spec.restartPolicy, RESTART_POLICIES));
  errors.push(...checkOneOf(`${path}.dnsPolicy`, spec.dnsPolicy, DNS_POLICIES));
  errors.push(
    ...checkNotNegative(`${path}.terminationGracePeriodSeconds`, spec.terminationGracePeriodSeconds),
  );
  if (spec.hostname !== undefined) errors.push(...check(`${path}.hostname`, spec.hostname, dnsLabel));
  if (spec.subdomain !== undefined) errors.push(...check(`${path}.subdomain`, spec.subdomain, dnsLabel));
  if (spec.nodeName !== undefined) errors.push(...check(`${path}.nodeName`, spec.nodeName, dnsSubdomain));
  if (spec.serviceAccountName !== undefined)
    errors.push(...check(`${path}.serviceAccountName`, spec.serviceAccountName, dnsSubdomain));
  errors.push(...checkLabels(`${path}.nodeSelector`, spec.nodeSelector));
  if (spec.activeDeadlineSeconds !== undefined && spec.activeDeadlineSeconds < 1)
    errors.push(
      invalidValue(
        `${path}.activeDeadlineSeconds`,
        spec.activeDeadlineSeconds,
        'must be between 1 and 2147483647, inclusive',
      ),
    );
  return errors;
}

function validateVolumeNames(volumes: readonly Volume[], path: string): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [i, { name }] of volumes.entries()) {
    errors.push(...checkRequired(`${path}[${i}].name`, name, dnsLabel));
    if (seen.has(name)) errors.push(duplicate(`${path}[${i}].name`, name));
    seen.add(name);
  }
  return errors;
}

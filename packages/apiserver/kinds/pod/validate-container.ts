import {
  type Container,
  type ContainerPort,
  type EnvVar,
  tryParseQuantity,
  type VolumeMount,
} from '#kube-api';
import { check, checkOneOf, checkPortNumber, checkRequired } from '../../validation/checks.ts';
import { duplicate, type FieldError, invalidValue, required } from '../../validation/field-error.ts';
import { dnsLabel, environmentName, portName } from '../../validation/names.ts';
import { validateProbe } from './validate-probe.ts';

const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'];
const PROTOCOLS = ['TCP', 'UDP', 'SCTP'];

/**
 * Source: pkg/apis/core/validation validateContainerCommon.
 * @param names of the Pod's containers so far; this one's is added
 * @param volumes names of the Pod's volumes
 */
export function validateContainer(
  container: Container,
  path: string,
  names: Set<string>,
  volumes: ReadonlySet<string>,
): FieldError[] {
  const errors = checkRequired(`${path}.name`, container.name, dnsLabel);
  if (container.name !== undefined && names.has(container.name))
    errors.push(duplicate(`${path}.name`, container.name));
  names.add(container.name);
  const image = container.image ?? '';
  if (image === '') errors.push(required(`${path}.image`));
  else if (image !== image.trim())
    errors.push(invalidValue(`${path}.image`, image, 'must not have leading or trailing whitespace'));
  errors.push(
    ...checkOneOf(`${path}.imagePullPolicy`, container.imagePullPolicy, PULL_POLICIES),
    ...validatePorts(container.ports ?? [], `${path}.ports`),
    ...validateEnvironment(container.env ?? [], `${path}.env`),
    ...validateMounts(container.volumeMounts ?? [], `${path}.volumeMounts`, volumes),
    ...validateResources(container, `${path}.resources`),
  );
  for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe'] as const)
    errors.push(...validateProbe(container[probe], `${path}.${probe}`, probe !== 'readinessProbe'));
  return errors;
}

function validatePorts(ports: readonly ContainerPort[], path: string): FieldError[] {
  const errors: FieldError[] = [];
  const names = new Set<string>();
  for (const [i, { name, containerPort, hostPort, protocol }] of ports.entries()) {
    const field = `${path}[${i}]`;
    if (name !== undefined) {
      errors.push(...check(`${field}.name`, name, portName));
      if (names.has(name)) errors.push(duplicate(`${field}.name`, name));
      names.add(name);
    }
    if (containerPort === undefined || containerPort === 0) errors.push(required(`${field}.containerPort`));
    else errors.push(...checkPortNumber(`${field}.containerPort`, containerPort));
    if (hostPort !== undefined) errors.push(...checkPortNumber(`${field}.hostPort`, hostPort));
    errors.push(...checkOneOf(`${field}.protocol`, protocol, PROTOCOLS));
  }
  return errors;
}

function validateEnvironment(variables: readonly EnvVar[], path: string): FieldError[] {
  return variables.flatMap(({ name, value, valueFrom }, i) => [
    ...checkRequired(`${path}[${i}].name`, name, environmentName),
    ...(value !== undefined && value !== '' && valueFrom !== undefined
      ? [invalidValue(`${path}[${i}].valueFrom`, '', 'may not be specified when `value` is not empty')]
      : []),
  ]);
}

function validateMounts(
  mounts: readonly VolumeMount[],
  path: string,
  volumes: ReadonlySet<string>,
): FieldError[] {
  const errors: FieldError[] = [];
  const places = new Set<string>();
  for (const [i, { name, mountPath }] of mounts.entries()) {
    const field = `${path}[${i}]`;
    if ((name ?? '') === '') errors.push(required(`${field}.name`));
    else if (!volumes.has(name))
      errors.push({ type: 'FieldValueNotFound', field: `${field}.name`, value: name });
    if ((mountPath ?? '') === '') errors.push(required(`${field}.mountPath`));
    if (places.has(mountPath)) errors.push(invalidValue(`${field}.mountPath`, mountPath, 'must be unique'));
    places.add(mountPath);
  }
  return errors;
}

function validateResources({ resources }: Container, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const list of ['limits', 'requests'] as const)
    for (const [name, quantity] of Object.entries(resources?.[list] ?? {})) {
      const value = tryParseQuantity(quantity);
      if (value === undefined)
        errors.push(
          invalidValue(
            `${path}.${list}[${name}]`,
            quantity,
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
          ),
        );
      else if (value < 0)
        errors.push(invalidValue(`${path}.${list}[${name}]`, quantity, 'must be greater than or equal to 0'));
    }
  for (const [name, quantity] of Object.entries(resources?.requests ?? {})) {
    const limit = resources?.limits?.[name];
    if (limit !== undefined && (tryParseQuantity(quantity) ?? 0) > (tryParseQuantity(limit) ?? Infinity))
      errors.push(
        invalidValue(`${path}.requests`, quantity, `must be less than or equal to ${name} limit of ${limit}`),
      );
  }
  return errors;
}

import type { Probe } from '#kube-api';
import { check, checkNotNegative, checkPortNumber } from '../../validation/checks.ts';
import { type FieldError, forbiddenField, invalidValue, required } from '../../validation/field-error.ts';
import { portName } from '../../validation/names.ts';

/** Source: pkg/apis/core/validation validateProbe. @param successMustBeOne as for every probe but that of readiness */
export function validateProbe(
  probe: Probe | undefined,
  path: string,
  successMustBeOne: boolean,
): FieldError[] {
  if (probe === undefined) return [];
  const errors: FieldError[] = [];
  const handlers = (['exec', 'httpGet', 'tcpSocket', 'grpc'] as const).filter(
    (handler) => probe[handler] !== undefined,
  );
  if (handlers.length === 0) errors.push(required(path, 'must specify a handler type'));
  for (const handler of handlers.slice(1))
    errors.push(forbiddenField(`${path}.${handler}`, 'may not specify more than 1 handler type'));
  if (probe.exec !== undefined && (probe.exec.command ?? []).length === 0)
    errors.push(required(`${path}.exec.command`));
  for (const handler of ['httpGet', 'tcpSocket', 'grpc'] as const) {
    const target = probe[handler];
    if (target === undefined) continue;
    if (typeof target.port === 'string')
      errors.push(...check(`${path}.${handler}.port`, target.port, portName));
    else errors.push(...checkPortNumber(`${path}.${handler}.port`, target.port));
  }
  for (const field of [
    'initialDelaySeconds',
    'timeoutSeconds',
    'periodSeconds',
    'successThreshold',
    'failureThreshold',
  ] as const)
    errors.push(...checkNotNegative(`${path}.${field}`, probe[field]));
  if (successMustBeOne && (probe.successThreshold ?? 1) !== 1)
    errors.push(invalidValue(`${path}.successThreshold`, probe.successThreshold, 'must be 1'));
  return errors;
}

import { isIp } from '#ip';
import { type FieldError, invalidValue, notSupported, required, tooLong } from './field-error.ts';
import { labelValue, type NameRule, qualifiedName } from './names.ts';

/** What a rule says of a field's value. */
export function check(field: string, value: string, rule: NameRule): FieldError[] {
  return rule(value).map((detail) => invalidValue(field, value, detail));
}

/** As {@link check}, and the value must be there. */
export function checkRequired(field: string, value: string | undefined, rule: NameRule): FieldError[] {
  return value === undefined || value === '' ? [required(field)] : check(field, value, rule);
}

export function checkLabels(
  field: string,
  labels: Readonly<Record<string, string>> | undefined,
): FieldError[] {
  return Object.entries(labels ?? {}).flatMap(([key, value]) => [
    ...check(field, key, qualifiedName),
    ...check(field, value, labelValue),
  ]);
}

const MAX_ANNOTATIONS = 256 * 1024;

export function checkAnnotations(
  field: string,
  annotations: Readonly<Record<string, string>> | undefined,
): FieldError[] {
  const entries = Object.entries(annotations ?? {});
  const size = entries.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  return [
    ...entries.flatMap(([key]) => check(field, key.toLowerCase(), qualifiedName)),
    ...(size > MAX_ANNOTATIONS ? [tooLong(field, MAX_ANNOTATIONS)] : []),
  ];
}

export function checkOneOf(
  field: string,
  value: string | undefined,
  supported: readonly string[],
): FieldError[] {
  return value === undefined || supported.includes(value) ? [] : [notSupported(field, value, supported)];
}

/** A port number that must be there. */
export function checkPortNumber(field: string, value: unknown): FieldError[] {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65535
    ? []
    : [invalidValue(field, value ?? 0, 'must be between 1 and 65535, inclusive')];
}

export function checkNotNegative(field: string, value: number | undefined): FieldError[] {
  return (value ?? 0) < 0 ? [invalidValue(field, value, 'must be greater than or equal to 0')] : [];
}

export const IP_PROBLEM = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';

export function checkIp(field: string, value: string): FieldError[] {
  return isIp(value) ? [] : [invalidValue(field, value, IP_PROBLEM)];
}

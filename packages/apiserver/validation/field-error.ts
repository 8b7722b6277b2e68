/** One thing wrong with one field. Source: apimachinery field.Error; the types are what clients see as a cause's reason. */
export interface FieldError {
  readonly type:
    | 'FieldValueRequired'
    | 'FieldValueInvalid'
    | 'FieldValueDuplicate'
    | 'FieldValueNotSupported'
    | 'FieldValueForbidden'
    | 'FieldValueTooLong'
    | 'FieldValueTooMany'
    | 'FieldValueNotFound';
  readonly field: string;
  readonly value?: unknown;
  readonly detail?: string;
}

export const required = (field: string, detail = ''): FieldError => ({
  type: 'FieldValueRequired',
  field,
  detail,
});
export const invalidValue = (field: string, value: unknown, detail: string): FieldError => ({
  type: 'FieldValueInvalid',
  field,
  value,
  detail,
});
export const duplicate = (field: string, value: unknown): FieldError => ({
  type: 'FieldValueDuplicate',
  field,
  value,
});
export const forbiddenField = (field: string, detail: string): FieldError => ({
  type: 'FieldValueForbidden',
  field,
  detail,
});
export const tooLong = (field: string, max: number): FieldError => ({
  type: 'FieldValueTooLong',
  field,
  detail: `may not be more than ${max} bytes`,
});
export const notSupported = (field: string, value: unknown, supported: readonly string[]): FieldError => ({
  type: 'FieldValueNotSupported',
  field,
  value,
  detail: `supported values: ${supported
    .toSorted()
    .map((item) => JSON.stringify(item))
    .join(', ')}`,
});

/** The error without its field, in Kubernetes' own words. */
export function fieldErrorMessage({ type, value, detail }: FieldError): string {
  const suffix = detail === undefined || detail === '' ? '' : `: ${detail}`;
  switch (type) {
    case 'FieldValueRequired':
      return `Required value${suffix}`;
    case 'FieldValueForbidden':
      return `Forbidden${suffix}`;
    case 'FieldValueTooLong':
      return `Too long${suffix}`;
    case 'FieldValueTooMany':
      return `Too many${suffix}`;
    case 'FieldValueInvalid':
      return `Invalid value: ${formatValue(value)}${suffix}`;
    case 'FieldValueDuplicate':
      return `Duplicate value: ${formatValue(value)}${suffix}`;
    case 'FieldValueNotSupported':
      return `Unsupported value: ${formatValue(value)}${suffix}`;
    case 'FieldValueNotFound':
      return `Not found: ${formatValue(value)}${suffix}`;
    default:
      return type satisfies never;
  }
}

function formatValue(value: unknown): string {
  return value === undefined || value === null ? 'null' : JSON.stringify(value);
}

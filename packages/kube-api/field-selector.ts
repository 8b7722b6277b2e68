import { InvalidInputError } from '#runtime';

export interface FieldRequirement {
  readonly field: string;
  readonly negated: boolean;
  readonly value: string;
}

/**
 * Parses the text form of a field selector (`a=b,c!=d`; `\` escapes `,`, `=` and itself). Throws InvalidInputError.
 * Source: apimachinery fields.ParseSelector.
 */
export function parseFieldSelector(text: string): readonly FieldRequirement[] {
  const parts = (text.match(/(?:\\.|[^,\\])+/g) ?? []).filter((part) => part.trim() !== '');
  return parts.map((part) => {
    const match = /^((?:\\.|[^=!\\])+)(!=|==|=)((?:\\.|[^\\=])*)$/.exec(part);
    if (match === null)
      throw new InvalidInputError('fieldSelector', text, `can't understand ${JSON.stringify(part)}`);
    const [, field = '', operator, value = ''] = match;
    return { field: field.trim(), negated: operator === '!=', value: value.replace(/\\(.)/g, '$1') };
  });
}

/** Whether an object satisfies every requirement; a field that is absent counts as the empty string. */
export function matchesFields(requirements: readonly FieldRequirement[], object: unknown): boolean {
  return requirements.every(({ field, negated, value }) => (fieldValue(object, field) === value) !== negated);
}

/** The value at a dotted path, as text. */
function fieldValue(object: unknown, path: string): string {
  let value: unknown = object;
  for (const key of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return '';
    value = (value as Readonly<Record<string, unknown>>)[key];
  }
  return value === undefined || value === null ? '' : String(value);
}

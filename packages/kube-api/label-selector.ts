import { InvalidInputError } from '#runtime';
import type { LabelSelector } from './generated/types.ts';

export type Labels = Readonly<Record<string, string>>;

export interface LabelRequirement {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'GreaterThan' | 'LessThan';
  readonly values: readonly string[];
}

const KEY = /^(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const VALUE = /^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

/**
 * Parses the text form of a label selector (`a=b,c!=d,e in (f,g),!h`). Throws InvalidInputError.
 * Source: apimachinery labels.Parse.
 */
export function parseLabelSelector(text: string): readonly LabelRequirement[] {
  return splitOutsideParentheses(text).map((part) => parseRequirement(part.trim(), text));
}

function splitOutsideParentheses(text: string): string[] {
  if (text.trim() === '') return [];
  return text.split(/,(?![^()]*\))/);
}

function parseRequirement(part: string, text: string): LabelRequirement {
  const fail = (reason: string): never => {
    throw new InvalidInputError('labelSelector', text, reason);
  };
  const make = (key: string, operator: LabelRequirement['operator'], values: readonly string[] = []) => {
    if (!KEY.test(key)) return fail(`${JSON.stringify(key)} is not a label key`);
    for (const value of values)
      if (!VALUE.test(value)) return fail(`${JSON.stringify(value)} is not a label value`);
    return { key, operator, values };
  };
  const set = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(part);
  if (set !== null)
    return make(
      set[1] ?? '',
      set[2] === 'in' ? 'In' : 'NotIn',
      (set[3] ?? '').split(',').map((value) => value.trim()),
    );
  const equality = /^([^\s=!<>]+)\s*(==|=|!=|>|<)\s*([^\s=!<>]*)$/.exec(part);
  if (equality !== null) {
    const [, key = '', operator, value = ''] = equality;
    if (operator === '!=') return make(key, 'NotIn', [value]);
    if (operator === '>' || operator === '<') {
      if (!/^-?\d+$/.test(value)) return fail(`${JSON.stringify(value)} must be an integer`);
      return make(key, operator === '>' ? 'GreaterThan' : 'LessThan', [value]);
    }
    return make(key, 'In', [value]);
  }
  if (part.startsWith('!')) return make(part.slice(1).trim(), 'DoesNotExist');
  return make(part, 'Exists');
}

/** Whether labels satisfy every requirement. Labels that lack the key satisfy NotIn, as in Kubernetes. */
export function matchesRequirements(
  requirements: readonly LabelRequirement[],
  labels: Labels | undefined,
): boolean {
  return requirements.every((requirement) => matchesRequirement(requirement, labels ?? {}));
}

function matchesRequirement({ key, operator, values }: LabelRequirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'GreaterThan':
      return isInteger(value) && BigInt(value) > BigInt(values[0] ?? '0');
    case 'LessThan':
      return isInteger(value) && BigInt(value) < BigInt(values[0] ?? '0');
    default:
      return operator satisfies never;
  }
}

function isInteger(value: string | undefined): value is string {
  return value !== undefined && /^-?\d+$/.test(value);
}

/** The requirements of a structured selector. Throws InvalidInputError on an unknown operator. */
export function labelSelectorRequirements(selector: LabelSelector): readonly LabelRequirement[] {
  const equal = Object.entries(selector.matchLabels ?? {}).map(
    ([key, value]): LabelRequirement => ({ key, operator: 'In', values: [value] }),
  );
  const expressions = (selector.matchExpressions ?? []).map(
    ({ key, operator, values }): LabelRequirement => ({
      key,
      operator: selectorOperator(operator),
      values: values ?? [],
    }),
  );
  return [...equal, ...expressions];
}

function selectorOperator(operator: string): LabelRequirement['operator'] {
  switch (operator) {
    case 'In':
    case 'NotIn':
    case 'Exists':
    case 'DoesNotExist':
      return operator;
    default:
      throw new InvalidInputError('operator', operator, 'must be In, NotIn, Exists or DoesNotExist');
  }
}

/** An absent selector matches nothing, an empty one everything. */
export function matchesLabelSelector(
  selector: LabelSelector | undefined,
  labels: Labels | undefined,
): boolean {
  return selector !== undefined && matchesRequirements(labelSelectorRequirements(selector), labels);
}

/** The selector of a Service: an absent or empty map selects nothing. */
export function matchesServiceSelector(selector: Labels | undefined, labels: Labels | undefined): boolean {
  const entries = Object.entries(selector ?? {});
  return entries.length > 0 && entries.every(([key, value]) => labels?.[key] === value);
}

/** The text form, as `scale.status.selector` and `kubectl get` show it: sorted by key. */
export function formatLabelSelector(selector: LabelSelector | undefined): string {
  if (selector === undefined) return '';
  return labelSelectorRequirements(selector)
    .toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(({ key, operator, values }) => {
      switch (operator) {
        case 'In':
          return values.length === 1 && selector.matchLabels?.[key] === values[0]
            ? `${key}=${values[0]}`
            : `${key} in (${values.toSorted().join(',')})`;
        case 'NotIn':
          return `${key} notin (${values.toSorted().join(',')})`;
        case 'Exists':
          return key;
        case 'DoesNotExist':
          return `!${key}`;
        case 'GreaterThan':
          return `${key}>${values[0]}`;
        case 'LessThan':
          return `${key}<${values[0]}`;
        default:
          return operator satisfies never;
      }
    })
    .join(',');
}

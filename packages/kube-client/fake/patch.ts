import { ApiError } from '../errors.ts';
import { isRecord } from '../metadata.ts';

/** RFC 7386. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const result: Record<string, unknown> = isRecord(target) ? { ...target } : {};
  for (const [field, value] of Object.entries(patch)) {
    if (value === null) delete result[field];
    else result[field] = mergePatch(result[field], value);
  }
  return result;
}

/** RFC 6902, without `move` and `copy`. Throws ApiError 422 where an operation does not apply. */
export function jsonPatch(target: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw new ApiError(400, { message: 'a JSON patch is a list of operations' });
  return patch.reduce<unknown>((value, operation) => applyOperation(value, operation), target);
}

function applyOperation(target: unknown, operation: unknown): unknown {
  if (!isRecord(operation) || typeof operation['path'] !== 'string')
    throw new ApiError(400, { message: 'a JSON patch operation has a path' });
  const path = operation['path']
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  return edit(target, path, operation);
}

function edit(
  target: unknown,
  [head, ...rest]: readonly string[],
  operation: Readonly<Record<string, unknown>>,
): unknown {
  if (head === undefined) {
    if (operation['op'] === 'test' && !sameJson(target, operation['value'])) throw refused(operation);
    return operation['op'] === 'test' ? target : operation['value'];
  }
  if (Array.isArray(target)) return editList(target, head, rest, operation);
  if (!isRecord(target)) throw refused(operation);
  if (rest.length > 0 || operation['op'] === 'test') {
    if (target[head] === undefined) throw refused(operation);
    return { ...target, [head]: edit(target[head], rest, operation) };
  }
  if (operation['op'] !== 'add' && target[head] === undefined) throw refused(operation);
  const { [head]: _, ...others } = target;
  return operation['op'] === 'remove' ? others : { ...others, [head]: operation['value'] };
}

function editList(
  list: readonly unknown[],
  head: string,
  rest: readonly string[],
  operation: Readonly<Record<string, unknown>>,
): unknown {
  const index = head === '-' ? list.length : Number(head);
  const inserts = operation['op'] === 'add' && rest.length === 0;
  if (!Number.isInteger(index) || index < 0 || index > list.length - (inserts ? 0 : 1))
    throw refused(operation);
  if (inserts) return list.toSpliced(index, 0, operation['value']);
  if (operation['op'] === 'remove' && rest.length === 0) return list.toSpliced(index, 1);
  return list.with(index, edit(list[index], rest, operation));
}

function refused(operation: Readonly<Record<string, unknown>>): ApiError {
  return new ApiError(422, {
    reason: 'Invalid',
    message: `the server rejected our request: cannot ${String(operation['op'])} at ${String(operation['path'])}`,
  });
}

/** Deep equality of JSON values, whatever the order of fields. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((value, index) => sameJson(value, b[index]));
  if (!isRecord(a) || !isRecord(b)) return a === b;
  const fields = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...fields].every((field) => sameJson(a[field], b[field]));
}

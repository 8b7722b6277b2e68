import { deepEqual, isObject, type Json } from './json.ts';
import { PatchError } from './patch-error.ts';

interface Operation {
  readonly op: string;
  readonly path: string;
  readonly from?: string;
  readonly value?: Json;
}

/** Far above what a client needs, and little enough that a hostile patch costs nothing. Source: maxJSONPatchOperations. */
const MAX_OPERATIONS = 10_000;

/** Applies an RFC 6902 patch. @throws PatchError */
export function applyJsonPatch(document: Json, patch: unknown): Json {
  if (!Array.isArray(patch)) throw malformed('a JSON patch must be a list of operations');
  if (patch.length > MAX_OPERATIONS)
    throw malformed(`the JSON patch has more than ${MAX_OPERATIONS} operations`);
  return patch.reduce((current: Json, item: unknown) => {
    if (!isObject(item) || typeof item['op'] !== 'string' || typeof item['path'] !== 'string')
      throw malformed('an operation of a JSON patch must have an op and a path');
    return applyOperation(current, item as unknown as Operation);
  }, document);
}

function applyOperation(document: Json, { op, path, from, value }: Operation): Json {
  const target = parsePointer(path);
  switch (op) {
    case 'add':
      return add(document, target, requireValue(value));
    case 'remove':
      return remove(document, target, path);
    case 'replace':
      get(document, target, path);
      return target.length === 0
        ? requireValue(value)
        : add(remove(document, target, path), target, requireValue(value));
    case 'move': {
      const source = parsePointer(from ?? '');
      const moved = get(document, source, from ?? '');
      return add(remove(document, source, from ?? ''), target, moved);
    }
    case 'copy':
      return add(document, target, get(document, parsePointer(from ?? ''), from ?? ''));
    case 'test':
      if (!deepEqual(get(document, target, path), value ?? null))
        throw inapplicable(`testing path ${path} failed`);
      return document;
    default:
      throw malformed(`unexpected operation in a JSON patch: ${JSON.stringify(op)}`);
  }
}

function requireValue(value: Json | undefined): Json {
  if (value === undefined) throw malformed('an operation of a JSON patch lacks its value');
  return value;
}

const malformed = (message: string) => new PatchError('malformed', message);
const inapplicable = (message: string) => new PatchError('inapplicable', message);
const missing = (path: string) => inapplicable(`${path}: the path does not exist`);

function parsePointer(pointer: string): readonly string[] {
  if (pointer === '') return [];
  if (!pointer.startsWith('/')) throw malformed(`${JSON.stringify(pointer)} is not a JSON pointer`);
  return pointer
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function get(document: Json, [key, ...rest]: readonly string[], path: string): Json {
  if (key === undefined) return document;
  const child = Array.isArray(document)
    ? (document as readonly Json[])[arrayIndex(key, document.length - 1, path)]
    : isObject(document) && Object.hasOwn(document, key)
      ? document[key]
      : undefined;
  if (child === undefined) throw missing(path);
  return get(child, rest, path);
}

function arrayIndex(key: string, max: number, path: string): number {
  if (!/^(0|[1-9]\d*)$/.test(key) || Number(key) > max) throw missing(path);
  return Number(key);
}

/** Replaces the child named by the path's last step through `change`, copying what is on the way. */
function edit(document: Json, path: readonly string[], change: (parent: Json, key: string) => Json): Json {
  const [key, ...rest] = path;
  if (key === undefined) throw missing('');
  if (rest.length === 0) return change(document, key);
  const child = edit(get(document, [key], `/${path.join('/')}`), rest, change);
  if (Array.isArray(document)) return document.with(Number(key), child);
  return isObject(document) ? { ...document, [key]: child } : document;
}

function add(document: Json, path: readonly string[], value: Json): Json {
  if (path.length === 0) return value;
  return edit(document, path, (parent, key) => {
    if (Array.isArray(parent))
      return parent.toSpliced(key === '-' ? parent.length : arrayIndex(key, parent.length, key), 0, value);
    if (!isObject(parent)) throw missing(`/${path.join('/')}`);
    return { ...parent, [key]: value };
  });
}

function remove(document: Json, path: readonly string[], pointer: string): Json {
  get(document, path, pointer);
  return edit(document, path, (parent, key) => {
    if (Array.isArray(parent)) return parent.toSpliced(Number(key), 1);
    const { [key]: _removed, ...rest } = parent as { readonly [name: string]: Json };
    return rest;
  });
}

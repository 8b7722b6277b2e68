import { isObject, type Json } from './json.ts';

/** RFC 7386: objects merge, null removes, everything else replaces. */
export function applyMergePatch(document: Json, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const merged = new Map<string, Json | undefined>(Object.entries(isObject(document) ? document : {}));
  for (const [key, value] of Object.entries(patch)) {
    if (value === null || value === undefined) merged.delete(key);
    else merged.set(key, applyMergePatch(merged.get(key) ?? null, value));
  }
  return Object.fromEntries(merged);
}

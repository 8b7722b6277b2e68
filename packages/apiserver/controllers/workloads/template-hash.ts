import type { PodTemplateSpec } from '#kube-api';
import { deepEqual } from '#kube-api';

export const TEMPLATE_HASH_LABEL = 'pod-template-hash';

/** No vowels, nothing that reads like another: what Kubernetes makes generated names of (apimachinery, util/rand). */
const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

/** A short name for a Pod template, the same for equal templates. `collisions`: how often that name was already taken. */
export function templateHash(template: PodTemplateSpec, collisions: number): string {
  const text = `${canonical(withoutHash(template))}#${collisions}`;
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return [...hash.toString()].map((digit) => ALPHABET[digit.charCodeAt(0) % ALPHABET.length]).join('');
}

/** Whether both make the same Pods: the label that tells their ReplicaSets apart does not count. */
export function sameTemplate(a: PodTemplateSpec | undefined, b: PodTemplateSpec | undefined): boolean {
  return a !== undefined && b !== undefined && deepEqual(withoutHash(a), withoutHash(b));
}

function withoutHash(template: PodTemplateSpec): PodTemplateSpec {
  const { [TEMPLATE_HASH_LABEL]: _, ...labels } = template.metadata?.labels ?? {};
  return { ...template, metadata: { ...template.metadata, labels } };
}

/** JSON with its fields in order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}

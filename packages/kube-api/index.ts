export { canonicalQuantity } from './canonical-quantity.ts';
export { transitionTime } from './condition.ts';
export { type FieldRequirement, matchesFields, parseFieldSelector } from './field-selector.ts';
export type * from './generated/types.ts';
export { asObject, asString, at, deepEqual, isObject, type Json, type JsonObject, withAt } from './json.ts';
export { applyJsonPatch } from './json-patch.ts';
export {
  formatLabelSelector,
  type LabelRequirement,
  type Labels,
  matchesLabelSelector,
  matchesRequirements,
  matchesServiceSelector,
  parseLabelSelector,
} from './label-selector.ts';
export { applyMergePatch } from './merge-patch.ts';
export { ATOMIC_OBJECTS, type MergeRule, mergeRule } from './merge-rules.ts';
export {
  apiVersionOf,
  controllerOf,
  type KubeObject,
  nameKey,
  objectReference,
  resourcePath,
} from './metadata.ts';
export { PatchError } from './patch-error.ts';
export { qosClass } from './qos-class.ts';
export { parseQuantity, tryParseQuantity } from './quantity.ts';
export type { Resource } from './resource.ts';
export * from './resources.ts';
export { type ProtobufFields, protobufFields, type Schema, schemaDefinitions } from './schema.ts';
export { formatTime } from './time.ts';
export { KUBERNETES_VERSION } from './version.ts';

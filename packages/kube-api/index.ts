export { type FieldRequirement, matchesFields, parseFieldSelector } from './fieldSelector.ts';
export type * from './generated/types.ts';
export {
  formatLabelSelector,
  type LabelRequirement,
  type Labels,
  labelSelectorRequirements,
  matchesLabelSelector,
  matchesRequirements,
  matchesServiceSelector,
  parseLabelSelector,
} from './labelSelector.ts';
export { ATOMIC_OBJECTS, MERGE_RULES, type MergeRule, mergeRule } from './mergeRules.ts';
export { apiVersionOf, controllerOf, type KubeObject, nameKey, objectKey, resourcePath } from './metadata.ts';
export { parseQuantity, tryParseQuantity } from './quantity.ts';
export type { Resource } from './resource.ts';
export * from './resources.ts';
export { type ProtobufFields, protobufFields, type Schema, schemaDefinitions } from './schema.ts';

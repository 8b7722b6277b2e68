import type { JsonObject, Resource } from '#kube-api';
import type { Clock, Random } from '#runtime';
import type { Column } from '../table/column.ts';
import type { FieldError } from '../validation/field-error.ts';
import type { NameRule } from '../validation/names.ts';
import type { ServiceAllocator } from './service-allocator.ts';

export type Subresource =
  | 'status'
  | 'ephemeralcontainers'
  | 'scale'
  | 'finalize'
  | 'binding'
  | 'eviction'
  | 'token'
  | 'log'
  | 'exec'
  | 'attach'
  | 'portforward';

/** Subresources that are written as the object is, and change a part of it. */
export type PartSubresource = Extract<Subresource, 'status' | 'finalize' | 'ephemeralcontainers'>;

/** What strategies may use beside the object itself. */
export interface KindContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly services: ServiceAllocator;
  /** Another object, as it is stored. @param key `NAMESPACE/NAME`, or the name alone */
  find(storage: string, key: string): JsonObject | undefined;
}

/** Where a kind's scale subresource finds its numbers. */
export interface ScalePaths {
  readonly replicas: readonly string[];
  readonly statusReplicas: readonly string[];
  readonly selector: readonly string[];
}

/**
 * All that differs between kinds. The registry calls, on create: `defaults`, `create`, `validate`; on update: `defaults`,
 * `update`, `validate`, `validateUpdate`. The functions are pure but for what `KindContext` allocates.
 */
export interface KindStrategy<T> {
  readonly resource: Resource<T>;
  /** The name in schema.json. */
  readonly definition: string;
  readonly singular: string;
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly nameRule: NameRule;
  readonly subresources?: readonly Subresource[];
  readonly scale?: ScalePaths;
  /** Fields that field selectors may name, metadata.name and metadata.namespace aside. */
  readonly selectableFields?: readonly string[];
  /** metadata.generation counts changes of everything but metadata and status. */
  readonly hasGeneration?: boolean;
  /** The status given on create is kept (else only the status subresource sets it). */
  readonly statusOnCreate?: boolean;
  /** Where the objects are stored, when another kind shows the same ones in another shape. */
  readonly storedAs?: {
    readonly kind: Kind;
    toStored(object: T): JsonObject;
    fromStored(object: JsonObject): T;
  };
  defaults?(object: T): T;
  create?(object: T, context: KindContext): T;
  update?(object: T, old: T, context: KindContext): T;
  validate?(object: T): readonly FieldError[];
  /** @param part of the object that is written; undefined: the object itself */
  validateUpdate?(object: T, old: T, part: PartSubresource | undefined): readonly FieldError[];
  /** Seconds between the wish to delete and the end; 0 removes at once. Kinds without it are removed at once. */
  gracePeriod?(object: T, requested: number | undefined): number;
  readonly columns: readonly Column<T>[];
}

export type Kind = KindStrategy<JsonObject>;

/** A kind for the registry, which knows objects only as JSON. The decoder has checked them against T's schema. */
export function defineKind<T>(strategy: KindStrategy<T>): Kind {
  return strategy as unknown as Kind;
}

/** `pods`, `deployments.apps`: the name under which a kind's objects are stored. */
export function storageName(kind: Kind): string {
  const { group, plural } = (kind.storedAs?.kind ?? kind).resource;
  return group === '' ? plural : `${plural}.${group}`;
}

import type { JsonObject } from '#kube-api';
import type { FieldValidation } from './decode.ts';
import type { Kind, PartSubresource } from './kind.ts';
import type { Selectors } from './selection.ts';

/** Where an object is. */
export interface Target {
  readonly kind: Kind;
  readonly namespace: string | undefined;
  readonly name: string;
}

export interface WriteOptions {
  /** Who writes, for managedFields. */
  readonly manager: string;
  readonly dryRun?: boolean;
  readonly fieldValidation?: FieldValidation;
  readonly subresource?: PartSubresource | undefined;
  /** The write is a Pod's assignment to a node, which no other update may make. */
  readonly binding?: boolean;
  /** The request's text, for finding duplicate fields. */
  readonly text?: string | undefined;
}

export interface ApplyOptions extends WriteOptions {
  /** Takes fields over from other managers, instead of 409. */
  readonly force: boolean;
}

export interface Written {
  readonly object: JsonObject;
  readonly warnings: readonly string[];
  readonly created: boolean;
}

export interface DeleteRequest {
  readonly gracePeriodSeconds?: number | undefined;
  readonly propagationPolicy?: string | undefined;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string } | undefined;
  readonly dryRun?: boolean;
}

export interface ListQuery extends Selectors {
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly limit?: number | undefined;
  readonly continue?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly resourceVersionMatch?: string | undefined;
}

export interface ListResult {
  readonly items: readonly JsonObject[];
  readonly resourceVersion: string;
  readonly continue?: string;
  readonly remaining?: number;
}

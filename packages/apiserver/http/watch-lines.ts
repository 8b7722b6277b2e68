import { apiVersionOf, type JsonObject } from '#kube-api';
import type { Kind } from '../registry/kind.ts';
import type { WatchItem } from '../registry/watch.ts';
import { type IncludeObject, partialMetadata, renderTable } from '../table/table.ts';
import type { Accepted } from './accept.ts';

/** The events of one watch in the form that its client asked for, each as a line of text. */
export class WatchLines {
  readonly #kind: Kind;
  readonly #accepted: Accepted;
  readonly #include: IncludeObject;
  /** A table's columns come with its first row. */
  #columns = true;

  constructor(kind: Kind, accepted: Accepted, include: IncludeObject) {
    this.#kind = kind;
    this.#accepted = accepted;
    this.#include = include;
  }

  /** @param version of the store @param now milliseconds since the epoch */
  item({ type, object, json }: WatchItem, version: number, now: number): string {
    const text =
      json !== undefined && this.#accepted.as === 'object'
        ? json
        : JSON.stringify(this.#shape(object, version, now));
    return `{"type":"${type}","object":${text}}\n`;
  }

  bookmark(version: number, now: number, annotations?: JsonObject): string {
    const { resource } = this.#kind;
    const metadata = {
      resourceVersion: String(version),
      creationTimestamp: null,
      ...(annotations && { annotations }),
    };
    const plain: JsonObject = { kind: resource.kind, apiVersion: apiVersionOf(resource), metadata };
    const object = this.#accepted.as === 'Table' ? this.#table(plain, version, now, false) : plain;
    return `${JSON.stringify({ type: 'BOOKMARK', object })}\n`;
  }

  #shape(object: JsonObject, version: number, now: number): JsonObject {
    switch (this.#accepted.as) {
      case 'object':
        return object;
      case 'Table': {
        const table = this.#table(object, version, now, this.#columns);
        this.#columns = false;
        return table;
      }
      case 'PartialObjectMetadata':
      case 'PartialObjectMetadataList':
        return partialMetadata(object, this.#accepted.version);
      default:
        return this.#accepted.as satisfies never;
    }
  }

  #table(object: JsonObject, version: number, now: number, columns: boolean): JsonObject {
    return renderTable(this.#kind, [object], {
      now,
      include: this.#include,
      metadata: { resourceVersion: String(version) },
      columns,
      version: this.#accepted.version,
    });
  }
}

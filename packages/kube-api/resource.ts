/** Where a kind lives in the API, and (by its type parameter) the shape of its objects. */
export interface Resource<T> {
  /** '' is the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Never set: carries T. */
  readonly __object?: T;
}

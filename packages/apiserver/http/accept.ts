/** What shape a client wants an answer in. */
export interface Accepted {
  readonly as: 'object' | 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList';
  /** Of meta.k8s.io, for the shapes but `object`. */
  readonly version: string;
}

/** The first clause of an Accept header that the server can answer: JSON only, possibly `as=Table;v=v1;g=meta.k8s.io`. */
export function parseAccept(header: string | undefined): Accepted {
  for (const clause of (header ?? '').split(',')) {
    const [type = '', ...parameters] = clause
      .trim()
      .split(';')
      .map((part) => part.trim());
    if (!['application/json', 'application/*', '*/*', ''].includes(type)) continue;
    const values = new Map(parameters.map((parameter) => parameter.split('=', 2) as [string, string]));
    const as = values.get('as');
    const version = values.get('v') ?? '';
    if (as === undefined) return { as: 'object', version: 'v1' };
    if (values.get('g') !== 'meta.k8s.io' || (version !== 'v1' && version !== 'v1beta1')) continue;
    if (as === 'Table' || as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList')
      return { as, version };
  }
  return { as: 'object', version: 'v1' };
}

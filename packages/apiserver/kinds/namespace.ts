import { NAMESPACES, type Namespace } from '#kube-api';
import { defineKind } from '../registry/kind.ts';
import { ageColumn, nameColumn, text } from '../table/column.ts';
import { dnsLabel } from '../validation/names.ts';

export const namespace = defineKind<Namespace>({
  resource: NAMESPACES,
  definition: 'io.k8s.api.core.v1.Namespace',
  singular: 'namespace',
  shortNames: ['ns'],
  nameRule: dnsLabel,
  subresources: ['status', 'finalize'],
  selectableFields: ['status.phase'],
  defaults: (object) => {
    const name = object.metadata?.name;
    return {
      ...object,
      ...(name !== undefined && {
        metadata: {
          ...object.metadata,
          labels: { ...object.metadata?.labels, 'kubernetes.io/metadata.name': name },
        },
      }),
      status: object.status ?? { phase: 'Active' },
    };
  },
  create: (object) => ({
    ...object,
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  }),
  columns: [
    nameColumn,
    text('Status', ({ status }) => status?.phase ?? '', { description: 'The status of the namespace' }),
    ageColumn,
  ],
});

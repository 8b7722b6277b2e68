import { SERVICES, type Service } from '#kube-api';
import { defineKind } from '../registry/kind.ts';
import { ageColumn, mapOrNone, nameColumn, text } from '../table/column.ts';
import { dns1035Label } from '../validation/names.ts';
import { allocate } from './service/allocate.ts';
import { defaultSpec } from './service/defaults.ts';
import { validateSpec, validateUpdate } from './service/validate.ts';

export const service = defineKind<Service>({
  resource: SERVICES,
  definition: 'io.k8s.api.core.v1.Service',
  singular: 'service',
  shortNames: ['svc'],
  categories: ['all'],
  nameRule: dns1035Label,
  subresources: ['status'],
  selectableFields: ['spec.clusterIP', 'spec.type'],
  defaults: (object) => ({
    ...object,
    spec: defaultSpec(object.spec ?? {}),
    status: object.status ?? { loadBalancer: {} },
  }),
  create: (object, context) => ({
    ...object,
    status: { loadBalancer: {} },
    ...allocate(object, undefined, context),
  }),
  update: (object, old, context) => ({ ...object, ...allocate(object, old, context) }),
  validate: (object) => validateSpec(object.spec ?? {}),
  validateUpdate: (object, old) => validateUpdate(object.spec ?? {}, old.spec ?? {}),
  columns: [
    nameColumn,
    text('Type', ({ spec }) => spec?.type ?? ''),
    text('Cluster-IP', ({ spec }) => spec?.clusterIPs?.[0] ?? spec?.clusterIP ?? '<none>'),
    text('External-IP', externalAddress),
    text('Port(s)', portsColumn),
    ageColumn,
    text('Selector', ({ spec }) => mapOrNone(spec?.selector), { wide: true }),
  ],
});

function externalAddress({ spec, status }: Service): string {
  const listed = spec?.externalIPs ?? [];
  switch (spec?.type) {
    case 'LoadBalancer': {
      const ingress = (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip ?? hostname ?? '');
      const all = [...ingress, ...listed];
      return all.length > 0 ? all.join(',') : '<pending>';
    }
    case 'ExternalName':
      return spec.externalName ?? '<none>';
    default:
      return listed.length > 0 ? listed.join(',') : '<none>';
  }
}

function portsColumn({ spec }: Service): string {
  const ports = (spec?.ports ?? []).map(({ port, nodePort, protocol }) =>
    nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`,
  );
  return ports.length > 0 ? ports.join(',') : '<none>';
}

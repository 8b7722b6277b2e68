import { addressBits, familyOf, isIp } from '#ip';
import { deepEqual, NODES, type Node } from '#kube-api';
import { defineKind } from '../registry/kind.ts';
import { ageColumn, listOrNone, nameColumn, text } from '../table/column.ts';
import { type FieldError, forbiddenField, invalidValue } from '../validation/field-error.ts';
import { dnsSubdomain } from '../validation/names.ts';

const ROLE = 'node-role.kubernetes.io/';

export const node = defineKind<Node>({
  resource: NODES,
  definition: 'io.k8s.api.core.v1.Node',
  singular: 'node',
  shortNames: ['no'],
  nameRule: dnsSubdomain,
  subresources: ['status'],
  selectableFields: ['spec.unschedulable'],
  statusOnCreate: true,
  defaults: (object) => ({
    ...object,
    spec: withPodCidrs(object.spec ?? {}),
    status: object.status ?? {},
  }),
  validate: ({ spec }) =>
    (spec?.podCIDRs ?? []).flatMap((cidr, i) =>
      isCidr(cidr)
        ? []
        : [
            invalidValue(
              `spec.podCIDRs[${i}]`,
              cidr,
              'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
            ),
          ],
    ),
  validateUpdate: validateNodeUpdate,
  columns: [
    nameColumn,
    text('Status', statusColumn),
    text('Roles', ({ metadata }) =>
      listOrNone(
        Object.keys(metadata?.labels ?? {})
          .filter((label) => label.startsWith(ROLE))
          .map((label) => label.slice(ROLE.length))
          .toSorted(),
      ),
    ),
    ageColumn,
    text('Version', ({ status }) => status?.nodeInfo?.kubeletVersion ?? ''),
    text('Internal-IP', (object) => addressOf(object, 'InternalIP'), { wide: true }),
    text('External-IP', (object) => addressOf(object, 'ExternalIP'), { wide: true }),
    text('OS-Image', ({ status }) => status?.nodeInfo?.osImage || '<unknown>', { wide: true }),
    text('Kernel-Version', ({ status }) => status?.nodeInfo?.kernelVersion || '<unknown>', { wide: true }),
    text('Container-Runtime', ({ status }) => status?.nodeInfo?.containerRuntimeVersion || '<unknown>', {
      wide: true,
    }),
  ],
});

type NodeSpec = NonNullable<Node['spec']>;

/** podCIDR is the first of podCIDRs, whichever of the two was given. */
function withPodCidrs(spec: NodeSpec): NodeSpec {
  const podCIDRs = spec.podCIDRs ?? (spec.podCIDR === undefined ? undefined : [spec.podCIDR]);
  const podCIDR = podCIDRs?.[0];
  return { ...spec, ...(podCIDRs !== undefined && { podCIDRs }), ...(podCIDR !== undefined && { podCIDR }) };
}

function isCidr(text: string): boolean {
  const [address = '', length = '', ...rest] = text.split('/');
  return (
    isIp(address) &&
    /^\d{1,3}$/.test(length) &&
    rest.length === 0 &&
    Number(length) <= addressBits(familyOf(address))
  );
}

function validateNodeUpdate(object: Node, old: Node): readonly FieldError[] {
  const before = old.spec?.podCIDRs ?? [];
  if (before.length > 0 && !deepEqual(object.spec?.podCIDRs, before))
    return [forbiddenField('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid')];
  return [];
}

function statusColumn({ spec, status }: Node): string {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const words = [ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady'];
  if (spec?.unschedulable === true) words.push('SchedulingDisabled');
  return words.join(',');
}

function addressOf({ status }: Node, wanted: string): string {
  return status?.addresses?.find(({ type }) => type === wanted)?.address ?? '<none>';
}

import { LEASES, type Lease } from '#kube-api';
import { defineKind } from '../registry/kind.ts';
import { ageColumn, nameColumn, text } from '../table/column.ts';
import { checkNotNegative } from '../validation/checks.ts';
import { type FieldError, invalidValue } from '../validation/field-error.ts';
import { dnsSubdomain } from '../validation/names.ts';

export const lease = defineKind<Lease>({
  resource: LEASES,
  definition: 'io.k8s.api.coordination.v1.Lease',
  singular: 'lease',
  nameRule: dnsSubdomain,
  validate({ spec }) {
    const errors: FieldError[] = [];
    if ((spec?.leaseDurationSeconds ?? 1) <= 0)
      errors.push(
        invalidValue('spec.leaseDurationSeconds', spec?.leaseDurationSeconds, 'must be greater than 0'),
      );
    errors.push(...checkNotNegative('spec.leaseTransitions', spec?.leaseTransitions));
    return errors;
  },
  columns: [nameColumn, text('Holder', ({ spec }) => spec?.holderIdentity ?? ''), ageColumn],
});

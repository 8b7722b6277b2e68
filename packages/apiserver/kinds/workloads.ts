import {
  DEPLOYMENTS,
  type Deployment,
  deepEqual,
  formatLabelSelector,
  type LabelSelector,
  type Labels,
  matchesLabelSelector,
  type PodTemplateSpec,
  REPLICA_SETS,
  type ReplicaSet,
} from '#kube-api';
import { defineKind, type ScalePaths } from '../registry/kind.ts';
import { ageColumn, type Column, integer, nameColumn, text } from '../table/column.ts';
import { check, checkNotNegative, checkOneOf } from '../validation/checks.ts';
import { type FieldError, invalidValue, notSupported, required } from '../validation/field-error.ts';
import { dnsSubdomain, labelValue, qualifiedName } from '../validation/names.ts';
import { defaultPodTemplate } from './pod/defaults.ts';
import { validatePodTemplate } from './pod/validate-spec.ts';

interface Workload {
  readonly spec?: {
    readonly replicas?: number;
    readonly minReadySeconds?: number;
    readonly selector: LabelSelector;
    readonly template?: PodTemplateSpec;
  };
}

const SCALE: ScalePaths = {
  replicas: ['spec', 'replicas'],
  statusReplicas: ['status', 'replicas'],
  selector: ['spec', 'selector'],
};

const wideColumns: readonly Column<Workload>[] = [
  text('Containers', ({ spec }) => containersOf(spec?.template, 'name'), { wide: true }),
  text('Images', ({ spec }) => containersOf(spec?.template, 'image'), { wide: true }),
  text('Selector', ({ spec }) => formatLabelSelector(spec?.selector) || '<none>', { wide: true }),
];

function containersOf(template: PodTemplateSpec | undefined, field: 'name' | 'image'): string {
  return (template?.spec?.containers ?? []).map((container) => container[field] ?? '').join(',');
}

export const deployment = defineKind<Deployment>({
  resource: DEPLOYMENTS,
  definition: 'io.k8s.api.apps.v1.Deployment',
  singular: 'deployment',
  shortNames: ['deploy'],
  categories: ['all'],
  nameRule: dnsSubdomain,
  subresources: ['status', 'scale'],
  scale: SCALE,
  hasGeneration: true,
  defaults: (object) => ({
    ...object,
    ...(object.spec !== undefined && {
      spec: {
        ...object.spec,
        replicas: object.spec.replicas ?? 1,
        template: defaultPodTemplate(object.spec.template ?? {}),
        strategy: defaultStrategy(object.spec.strategy),
        revisionHistoryLimit: object.spec.revisionHistoryLimit ?? 10,
        progressDeadlineSeconds: object.spec.progressDeadlineSeconds ?? 600,
      },
    }),
    status: object.status ?? {},
  }),
  validate: (object) => [...validateWorkload(object), ...validateStrategy(object)],
  validateUpdate: (object, old) => selectorUnchanged(object, old),
  columns: [
    nameColumn,
    text('Ready', ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`, {
      description: 'Number of the pod with ready state',
    }),
    integer('Up-to-date', ({ status }) => status?.updatedReplicas ?? 0),
    integer('Available', ({ status }) => status?.availableReplicas ?? 0),
    ageColumn,
    ...wideColumns,
  ],
});

export const replicaSet = defineKind<ReplicaSet>({
  resource: REPLICA_SETS,
  definition: 'io.k8s.api.apps.v1.ReplicaSet',
  singular: 'replicaset',
  shortNames: ['rs'],
  categories: ['all'],
  nameRule: dnsSubdomain,
  subresources: ['status', 'scale'],
  scale: SCALE,
  selectableFields: ['status.replicas'],
  hasGeneration: true,
  defaults: (object) => ({
    ...object,
    ...(object.spec !== undefined && {
      spec: {
        ...object.spec,
        replicas: object.spec.replicas ?? 1,
        ...(object.spec.template !== undefined && { template: defaultPodTemplate(object.spec.template) }),
      },
    }),
    status: { replicas: 0, ...object.status },
  }),
  validate: validateWorkload,
  validateUpdate: (object, old) => selectorUnchanged(object, old),
  columns: [
    nameColumn,
    integer('Desired', ({ spec }) => spec?.replicas ?? 0),
    integer('Current', ({ status }) => status?.replicas ?? 0),
    integer('Ready', ({ status }) => status?.readyReplicas ?? 0),
    ageColumn,
    ...wideColumns,
  ],
});

type Strategy = NonNullable<NonNullable<Deployment['spec']>['strategy']>;

function defaultStrategy(strategy: Strategy | undefined): Strategy {
  const type = strategy?.type ?? 'RollingUpdate';
  if (type !== 'RollingUpdate') return { ...strategy, type };
  return {
    type,
    rollingUpdate: {
      maxUnavailable: strategy?.rollingUpdate?.maxUnavailable ?? '25%',
      maxSurge: strategy?.rollingUpdate?.maxSurge ?? '25%',
    },
  };
}

/** Source: pkg/apis/apps/validation. */
function validateWorkload({ spec }: Workload): FieldError[] {
  const errors: FieldError[] = [];
  for (const field of ['replicas', 'minReadySeconds'] as const)
    errors.push(...checkNotNegative(`spec.${field}`, spec?.[field]));
  const selector = spec?.selector;
  const empty =
    Object.keys(selector?.matchLabels ?? {}).length + (selector?.matchExpressions ?? []).length === 0;
  if (selector === undefined) errors.push(required('spec.selector'));
  else if (empty)
    errors.push(invalidValue('spec.selector', selector, 'empty selector is invalid for deployment'));
  const selectorErrors = selector === undefined ? [] : validateSelector(selector, 'spec.selector');
  errors.push(...selectorErrors);
  const labels: Labels | undefined = spec?.template?.metadata?.labels;
  if (
    selector !== undefined &&
    !empty &&
    selectorErrors.length === 0 &&
    !matchesLabelSelector(selector, labels)
  )
    errors.push(
      invalidValue(
        'spec.template.metadata.labels',
        labels ?? null,
        '`selector` does not match template `labels`',
      ),
    );
  errors.push(...validatePodTemplate(spec?.template ?? {}, 'spec.template'));
  const restart = spec?.template?.spec?.restartPolicy;
  if (restart !== undefined && restart !== 'Always')
    errors.push(notSupported('spec.template.spec.restartPolicy', restart, ['Always']));
  return errors;
}

function validateSelector(selector: LabelSelector, path: string): FieldError[] {
  const errors = Object.entries(selector.matchLabels ?? {}).flatMap(([key, value]) => [
    ...check(`${path}.matchLabels`, key, qualifiedName),
    ...check(`${path}.matchLabels`, value, labelValue),
  ]);
  for (const [i, { key, operator, values }] of (selector.matchExpressions ?? []).entries()) {
    const field = `${path}.matchExpressions[${i}]`;
    errors.push(...check(`${field}.key`, key ?? '', qualifiedName));
    if (operator === 'In' || operator === 'NotIn') {
      if ((values ?? []).length === 0)
        errors.push(required(`${field}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
    } else if (operator !== 'Exists' && operator !== 'DoesNotExist')
      errors.push(invalidValue(`${field}.operator`, operator, 'not a valid selector operator'));
  }
  return errors;
}

function validateStrategy({ spec }: Deployment): FieldError[] {
  const strategy = spec?.strategy;
  const path = 'spec.strategy';
  const errors = checkOneOf(`${path}.type`, strategy?.type, ['Recreate', 'RollingUpdate']);
  if (strategy?.type === 'Recreate' && strategy.rollingUpdate !== undefined)
    errors.push({
      type: 'FieldValueForbidden',
      field: `${path}.rollingUpdate`,
      detail: "may not be specified when strategy `type` is 'Recreate'",
    });
  const update = strategy?.rollingUpdate;
  for (const field of ['maxUnavailable', 'maxSurge'] as const) {
    const value = update?.[field];
    if (typeof value === 'number' ? value < 0 : value !== undefined && !/^\d+%$/.test(value))
      errors.push(
        invalidValue(
          `${path}.rollingUpdate.${field}`,
          value,
          typeof value === 'number'
            ? 'must be greater than or equal to 0'
            : "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
        ),
      );
  }
  if (isZero(update?.maxUnavailable) && isZero(update?.maxSurge))
    errors.push(
      invalidValue(
        `${path}.rollingUpdate.maxUnavailable`,
        update?.maxUnavailable,
        'may not be 0 when `maxSurge` is 0',
      ),
    );
  return errors;
}

const isZero = (value: number | string | undefined) => value === 0 || value === '0%';

function selectorUnchanged(object: Workload, old: Workload): FieldError[] {
  return deepEqual(object.spec?.selector, old.spec?.selector)
    ? []
    : [invalidValue('spec.selector', object.spec?.selector, 'field is immutable')];
}

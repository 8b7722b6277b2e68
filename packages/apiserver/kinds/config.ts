import {
  CONFIG_MAPS,
  type ConfigMap,
  deepEqual,
  SECRETS,
  SERVICE_ACCOUNTS,
  type Secret,
  type ServiceAccount,
} from '#kube-api';
import { defineKind } from '../registry/kind.ts';
import { ageColumn, integer, nameColumn, text } from '../table/column.ts';
import { type FieldError, forbiddenField, invalidValue, tooLong } from '../validation/field-error.ts';
import { dnsSubdomain } from '../validation/names.ts';

/** Source: MaxSecretSize in pkg/apis/core/types.go. */
const MAX_DATA = 1024 * 1024;
const KEY_PROBLEM =
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

type Data = Readonly<Record<string, string>> | undefined;

function validateData(...maps: readonly { readonly field: string; readonly data: Data }[]): FieldError[] {
  const entries = maps.flatMap(({ field, data }) =>
    Object.entries(data ?? {}).map(([key, value]) => ({ field, key, value })),
  );
  const size = entries.reduce((sum, { value }) => sum + value.length, 0);
  return [
    ...entries.flatMap(({ field, key }) =>
      /^[-._a-zA-Z0-9]{1,253}$/.test(key) ? [] : [invalidValue(`${field}[${key}]`, key, KEY_PROBLEM)],
    ),
    ...(size > MAX_DATA ? [tooLong(maps[0]?.field ?? '', MAX_DATA)] : []),
  ];
}

function immutableData(
  object: ConfigMap | Secret,
  old: ConfigMap | Secret,
  fields: readonly ('data' | 'binaryData')[],
): FieldError[] {
  if (old.immutable !== true) return [];
  const errors: FieldError[] = [];
  if (object.immutable !== true)
    errors.push(forbiddenField('immutable', 'field is immutable when `immutable` is set'));
  for (const field of fields)
    if (!deepEqual((object as ConfigMap)[field], (old as ConfigMap)[field]))
      errors.push(forbiddenField(field, 'field is immutable when `immutable` is set'));
  return errors;
}

const count = (map: Data) => Object.keys(map ?? {}).length;

export const configMap = defineKind<ConfigMap>({
  resource: CONFIG_MAPS,
  definition: 'io.k8s.api.core.v1.ConfigMap',
  singular: 'configmap',
  shortNames: ['cm'],
  nameRule: dnsSubdomain,
  validate: ({ data, binaryData }) =>
    validateData({ field: 'data', data }, { field: 'binaryData', data: binaryData }),
  validateUpdate: (object, old) => immutableData(object, old, ['data', 'binaryData']),
  columns: [
    nameColumn,
    integer('Data', ({ data, binaryData }) => count(data) + count(binaryData)),
    ageColumn,
  ],
});

export const secret = defineKind<Secret>({
  resource: SECRETS,
  definition: 'io.k8s.api.core.v1.Secret',
  singular: 'secret',
  nameRule: dnsSubdomain,
  selectableFields: ['type'],
  defaults: ({ stringData, ...object }) => ({
    ...object,
    ...(stringData !== undefined && {
      data: {
        ...object.data,
        ...Object.fromEntries(
          Object.entries(stringData).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
        ),
      },
    }),
    type: object.type ?? 'Opaque',
  }),
  validate: ({ data }) => validateData({ field: 'data', data }),
  validateUpdate: (object, old) => [
    ...(object.type === old.type ? [] : [invalidValue('type', object.type, 'field is immutable')]),
    ...immutableData(object, old, ['data']),
  ],
  columns: [
    nameColumn,
    text('Type', ({ type }) => type ?? ''),
    integer('Data', ({ data }) => count(data)),
    ageColumn,
  ],
});

export const serviceAccount = defineKind<ServiceAccount>({
  resource: SERVICE_ACCOUNTS,
  definition: 'io.k8s.api.core.v1.ServiceAccount',
  singular: 'serviceaccount',
  shortNames: ['sa'],
  subresources: ['token'],
  nameRule: dnsSubdomain,
  columns: [nameColumn, integer('Secrets', ({ secrets }) => secrets?.length ?? 0), ageColumn],
});

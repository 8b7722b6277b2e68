import type { Json, JsonObject } from '#kube-api';
import { type ProtobufFields, protobufFields } from '#kube-api';
import { definitionSchema, fieldSchema, type ResolvedSchema, resolve } from '../registry/schema-walk.ts';
import { badRequest } from '../status.ts';

/** What precedes every object in `application/vnd.kubernetes.protobuf`. Source: apimachinery serializer/protobuf. */
const MAGIC = Buffer.from('k8s\0');
const MAX_DEPTH = 40;

/** The Go package of each apiVersion that a body may have. */
const GO_PACKAGES: Readonly<Record<string, string>> = {
  v1: 'io.k8s.api.core.v1',
  'apps/v1': 'io.k8s.api.apps.v1',
  'authentication.k8s.io/v1': 'io.k8s.api.authentication.v1',
  'authorization.k8s.io/v1': 'io.k8s.api.authorization.v1',
  'autoscaling/v1': 'io.k8s.api.autoscaling.v1',
  'coordination.k8s.io/v1': 'io.k8s.api.coordination.v1',
  'discovery.k8s.io/v1': 'io.k8s.api.discovery.v1',
  'events.k8s.io/v1': 'io.k8s.api.events.v1',
  'policy/v1': 'io.k8s.api.policy.v1',
};
const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const QUANTITY = 'io.k8s.apimachinery.pkg.api.resource.Quantity';
const INT_OR_STRING = 'io.k8s.apimachinery.pkg.util.intstr.IntOrString';

/**
 * Go writes every field that is not a pointer, zero or not; JSON would leave zeros out. These optional fields are
 * pointers, so that a zero there was meant.
 */
const POINTERS = new Set([
  'activeDeadlineSeconds',
  'allocateLoadBalancerNodePorts',
  'allowPrivilegeEscalation',
  'automountServiceAccountToken',
  'backoffLimit',
  'blockOwnerDeletion',
  'controller',
  'defaultMode',
  'deletionGracePeriodSeconds',
  'enableServiceLinks',
  'expirationSeconds',
  'fsGroup',
  'gracePeriodSeconds',
  'hostUsers',
  'immutable',
  'leaseTransitions',
  'mode',
  'optional',
  'orphanDependents',
  'priority',
  'privileged',
  'progressDeadlineSeconds',
  'readOnlyRootFilesystem',
  'ready',
  'replicas',
  'revisionHistoryLimit',
  'runAsGroup',
  'runAsNonRoot',
  'runAsUser',
  'serving',
  'setHostnameAsFQDN',
  'shareProcessNamespace',
  'started',
  'terminating',
  'terminationGracePeriodSeconds',
  'tolerationSeconds',
]);

/** A protobuf body as the JSON it stands for. @throws StatusError 400 */
export function decodeProtobufBody(body: Uint8Array): JsonObject {
  if (!MAGIC.equals(body.subarray(0, MAGIC.length))) throw malformed('the prefix is missing');
  let apiVersion = '';
  let kind = '';
  let raw: Uint8Array = new Uint8Array();
  for (const { number, bytes } of readFields(body.subarray(MAGIC.length))) {
    if (bytes === undefined) continue;
    if (number === 2) raw = bytes;
    if (number !== 1) continue;
    for (const field of readFields(bytes)) {
      if (field.number === 1) apiVersion = textOf(field);
      if (field.number === 2) kind = textOf(field);
    }
  }
  const goPackage = kind === 'DeleteOptions' ? META : GO_PACKAGES[apiVersion];
  const definition = `${goPackage}.${kind}`;
  const fields = protobufFields()[definition];
  if (goPackage === undefined || fields === undefined)
    throw badRequest(
      `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}`,
    );
  try {
    return { ...decodeMessage(raw, fields, definitionSchema(definition), 0), apiVersion, kind };
  } catch (error) {
    // A time out of range, or bytes that should be JSON and are not.
    if (error instanceof RangeError || error instanceof SyntaxError) throw malformed(error.message);
    throw error;
  }
}

interface WireField {
  readonly number: number;
  /** Of a varint. */
  readonly integer?: number;
  /** Of a length-delimited field. */
  readonly bytes?: Uint8Array;
}

function* readFields(bytes: Uint8Array): Generator<WireField, void, void> {
  let offset = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[offset++];
      if (byte === undefined) throw malformed('it ends inside a number');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, value);
    }
    throw malformed('a number is too long');
  };
  while (offset < bytes.length) {
    const tag = Number(varint());
    const number = tag >>> 3;
    switch (tag & 7) {
      case 0:
        yield { number, integer: Number(varint()) };
        break;
      case 1:
        offset += 8;
        break;
      case 2: {
        const length = Number(varint());
        if (length < 0 || offset + length > bytes.length) throw malformed('a length reaches past the end');
        yield { number, bytes: bytes.subarray(offset, offset + length) };
        offset += length;
        break;
      }
      case 5:
        offset += 4;
        break;
      default:
        throw malformed('an unknown wire type');
    }
  }
}

function decodeMessage(
  bytes: Uint8Array,
  fields: ProtobufFields,
  schema: ResolvedSchema,
  depth: number,
): Record<string, Json> {
  if (depth > MAX_DEPTH) throw malformed('it is nested too deeply');
  const result: Record<string, Json> = {};
  for (const field of readFields(bytes)) {
    const target = fields[String(field.number)];
    if (target === undefined) continue;
    if (typeof target !== 'string') {
      if (field.bytes !== undefined)
        Object.assign(result, decodeMessage(field.bytes, target, schema, depth + 1));
      continue;
    }
    const child = fieldSchema(schema, target);
    if (child === undefined) continue;
    if (child.type === 'array') {
      const known = result[target];
      const item = decodeValue(field, resolve(child.items ?? {}), depth);
      result[target] = [...(Array.isArray(known) ? known : []), ...(item === undefined ? [] : [item])];
    } else if (child.additionalProperties !== undefined && field.bytes !== undefined) {
      const [key, value] = decodeEntry(field.bytes, resolve(child.additionalProperties), depth);
      result[target] = { ...(result[target] as JsonObject | undefined), [key]: value };
    } else {
      const value = decodeValue(field, child, depth);
      const isZero = value === 0 || value === false || value === '';
      if (
        value !== undefined &&
        (!isZero || POINTERS.has(target) || schema.required?.includes(target) === true)
      )
        result[target] = value;
    }
  }
  return result;
}

function decodeEntry(bytes: Uint8Array, schema: ResolvedSchema, depth: number): readonly [string, Json] {
  let key = '';
  let value: Json | undefined;
  for (const field of readFields(bytes)) {
    if (field.number === 1) key = textOf(field);
    else if (field.number === 2) value = decodeValue(field, schema, depth);
  }
  return [key, value ?? (schema.type === 'object' ? {} : '')];
}

function decodeValue(field: WireField, schema: ResolvedSchema, depth: number): Json | undefined {
  const { bytes, integer } = field;
  if (bytes === undefined) return schema.type === 'boolean' ? integer === 1 : (integer ?? 0);
  if (schema.definition === QUANTITY) {
    for (const inner of readFields(bytes)) if (inner.number === 1) return textOf(inner);
    return '0';
  }
  if (schema.definition === INT_OR_STRING) {
    const parts = new Map([...readFields(bytes)].map((inner) => [inner.number, inner]));
    return parts.get(1)?.integer === 1 ? textOf(parts.get(3)) : (parts.get(2)?.integer ?? 0);
  }
  if (schema.format?.startsWith('date-time') === true) return decodeTime(bytes, schema.format);
  if (schema.format === 'byte') return Buffer.from(bytes).toString('base64');
  if (schema.type === 'string') return Buffer.from(bytes).toString('utf8');
  const fields = schema.definition === undefined ? undefined : protobufFields()[schema.definition];
  if (fields !== undefined) return decodeMessage(bytes, fields, schema, depth + 1);
  // FieldsV1 and its like: JSON in bytes.
  for (const inner of readFields(bytes)) if (inner.number === 1) return JSON.parse(textOf(inner)) as Json;
  return undefined;
}

function decodeTime(bytes: Uint8Array, format: string): string | undefined {
  const parts = new Map([...readFields(bytes)].map((inner) => [inner.number, inner.integer ?? 0]));
  const seconds = parts.get(1);
  if (seconds === undefined) return undefined;
  const whole = new Date(seconds * 1000).toISOString().slice(0, -5);
  if (format === 'date-time') return `${whole}Z`;
  return `${whole}.${String(Math.floor((parts.get(2) ?? 0) / 1000)).padStart(6, '0')}Z`;
}

function textOf(field: WireField | undefined): string {
  return Buffer.from(field?.bytes ?? []).toString('utf8');
}

function malformed(what: string) {
  return badRequest(`the object provided is unrecognized (must be of type protobuf): ${what}`);
}

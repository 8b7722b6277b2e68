import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { message } from '../openapi/protobuf.ts';
import { StatusError } from '../status.ts';
import { refusal } from '../testing/registry.ts';
import { decodeProtobufBody } from './protobuf-body.ts';

const envelope = (apiVersion: string, kind: string, object: Uint8Array) =>
  Buffer.concat([
    Buffer.from('k8s\0'),
    message().message(1, message().string(1, apiVersion).string(2, kind)).bytes(2, object).finish(),
  ]);
const varint = (field: number, value: number) => Uint8Array.from([field << 3, value]);
const concat = (...parts: readonly Uint8Array[]) => Buffer.concat(parts);

test('decodeProtobufBody: a Service as JSON, zeros that nobody meant left out', () => {
  const entry = message().string(1, 'app').string(2, 'web');
  const metadata = message().string(1, 'web').bytes(3, new Uint8Array()).message(11, entry);
  const targetPort = concat(varint(1, 1), message().string(3, 'http').finish());
  const port = concat(
    message().string(2, 'TCP').finish(),
    varint(3, 80),
    message().bytes(4, targetPort).finish(),
    varint(5, 0),
  );
  const spec = message().bytes(1, port).message(2, entry).bytes(3, new Uint8Array()).string(4, 'ClusterIP');
  const body = envelope('v1', 'Service', message().message(1, metadata).message(2, spec).finish());
  assert.deepEqual(decodeProtobufBody(body), {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', labels: { app: 'web' } },
    spec: {
      ports: [{ protocol: 'TCP', port: 80, targetPort: 'http' }],
      selector: { app: 'web' },
      type: 'ClusterIP',
    },
  });
});

test('decodeProtobufBody: a zero behind a pointer was meant', () => {
  const body = envelope('v1', 'DeleteOptions', varint(1, 0));
  assert.deepEqual(decodeProtobufBody(body), {
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    gracePeriodSeconds: 0,
  });
});

test('decodeProtobufBody: refuses unknown kinds', () => {
  assert.match(
    refusal(() => decodeProtobufBody(envelope('v1', 'Nothing', new Uint8Array()))).message ?? '',
    /no kind "Nothing" is registered/,
  );
});

test('decodeProtobufBody: any bytes are an object or a 400', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.constantFrom('Pod', 'Service', 'Secret'),
      (bytes, kind) => {
        try {
          decodeProtobufBody(envelope('v1', kind, bytes));
        } catch (error) {
          assert.ok(error instanceof StatusError && error.status.code === 400, String(error));
        }
      },
    ),
    { numRuns: 500 },
  );
});

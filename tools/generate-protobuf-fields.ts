/**
 * Writes packages/kube-api/generated/protobuf.json: the field numbers of the API's messages, which clients that speak
 * protobuf (kubectl since 1.33) need and `@kubernetes/client-node` does not carry. They never change, only grow; run after
 * tools/generate-kube-api.ts when a kind is added:
 *
 *     node tools/generate-protobuf-fields.ts K8S_IO_API K8S_IO_APIMACHINERY
 *
 * The directories are the published Go modules k8s.io/api and k8s.io/apimachinery (`go mod download -json` names them),
 * whose generated.proto files define the wire format.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FILES = {
  api: [
    'apps',
    'authentication',
    'authorization',
    'autoscaling',
    'coordination',
    'core',
    'discovery',
    'events',
    'policy',
  ].map((group) => `${group}/v1/generated.proto`),
  apimachinery: ['pkg/apis/meta/v1/generated.proto'],
};

interface Field {
  readonly number: number;
  readonly name: string;
  readonly type: string;
}

const generated = join(import.meta.dirname, '../packages/kube-api/generated');
const schema = JSON.parse(readFileSync(join(generated, 'schema.json'), 'utf8')) as Readonly<
  Record<string, { readonly properties?: Readonly<Record<string, unknown>> }>
>;
const [api = '', apimachinery = ''] = process.argv.slice(2);
const messages = new Map<string, readonly Field[]>();
for (const file of FILES.api) readMessages(readFileSync(join(api, file), 'utf8'));
for (const file of FILES.apimachinery) readMessages(readFileSync(join(apimachinery, file), 'utf8'));

const lines = Object.entries(schema).flatMap(([name, { properties }]) => {
  const fields = messages.get(name);
  if (fields === undefined || properties === undefined) return [];
  return [`${JSON.stringify(name)}: ${JSON.stringify(numbers(fields, properties))}`];
});
writeFileSync(join(generated, 'protobuf.json'), `{\n${lines.join(',\n')}\n}\n`);

function readMessages(text: string): void {
  const goPackage = /^package ([\w.]+);/m.exec(text)?.[1]?.replace(/^k8s\.io\./, 'io.k8s.') ?? '';
  for (const [, name = '', body = ''] of text.matchAll(/^message (\w+) \{\n([\s\S]*?)^\}/gm)) {
    const fields = [
      ...body.matchAll(/^ {2}(?:optional |repeated |)(map<[^>]+>|[\w.]+) (\w+) = (\d+);/gm),
    ].map(
      ([, type = '', field = '', number = '']): Field => ({
        number: Number(number),
        name: field,
        type: type.startsWith('.') ? type.slice(1).replace(/^k8s\.io\./, 'io.k8s.') : `${goPackage}.${type}`,
      }),
    );
    messages.set(`${goPackage}.${name}`, fields);
  }
}

/** By field number: the JSON name, or the fields of a message that JSON has inlined. */
function numbers(
  fields: readonly Field[],
  properties: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const names = new Map(Object.keys(properties).map((name) => [name.toLowerCase(), name]));
  return Object.fromEntries(
    fields.flatMap(({ number, name, type }): readonly (readonly [number, unknown])[] => {
      const known = names.get(name.toLowerCase());
      if (known !== undefined) return [[number, known]];
      const inlined = messages.get(type);
      return inlined === undefined ? [] : [[number, numbers(inlined, properties)]];
    }),
  );
}

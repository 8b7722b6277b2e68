/**
 * Writes packages/kube-api/generated/{types.ts,schema.json} from the models of the devDependency
 * `@kubernetes/client-node`: its attributeTypeMap at run time (names, types, formats) and its .d.ts files
 * (descriptions, which fields are optional). Run after adding a kind to ROOTS or updating that package:
 *
 *     node tools/generate-kube-api.ts
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Model classes to start from, by the Go package that defines them; what they reach follows. Earlier packages win. */
const ROOTS: Readonly<Record<string, readonly string[]>> = {
  'io.k8s.apimachinery.pkg.apis.meta.v1': [
    'V1ObjectMeta',
    'V1ListMeta',
    'V1LabelSelector',
    'V1Condition',
    'V1DeleteOptions',
    'V1Status',
  ],
  'io.k8s.api.core.v1': [
    ...['Namespace', 'Node', 'Pod', 'Service', 'Endpoints', 'ConfigMap', 'Secret', 'ServiceAccount'].flatMap(
      withList,
    ),
    'CoreV1Event',
    'CoreV1EventList',
    'V1Binding',
    'V1PodTemplateSpec',
  ],
  'io.k8s.api.apps.v1': ['Deployment', 'ReplicaSet'].flatMap(withList),
  'io.k8s.api.authentication.v1': ['AuthenticationV1TokenRequest', 'V1SelfSubjectReview'],
  'io.k8s.api.authorization.v1': [
    'V1SelfSubjectAccessReview',
    'V1SelfSubjectRulesReview',
    'V1SubjectAccessReview',
  ],
  'io.k8s.api.autoscaling.v1': ['V1Scale'],
  'io.k8s.api.coordination.v1': withList('Lease'),
  'io.k8s.api.discovery.v1': withList('EndpointSlice'),
  'io.k8s.api.events.v1': ['EventsV1Event', 'EventsV1EventList'],
  'io.k8s.api.policy.v1': ['V1Eviction'],
};

/** TypeScript names, where cutting the version off would give two types one name. */
const TYPE_NAMES: Readonly<Record<string, string>> = {
  CoreV1EndpointPort: 'EndpointsPort',
  DiscoveryV1EndpointPort: 'EndpointPort',
  EventsV1Event: 'EventsEvent',
  EventsV1EventList: 'EventsEventList',
  EventsV1EventSeries: 'EventsEventSeries',
};

const QUANTITY = 'io.k8s.apimachinery.pkg.api.resource.Quantity';
const INT_OR_STRING = 'io.k8s.apimachinery.pkg.util.intstr.IntOrString';

/** The models call quantities strings; these fields are quantities. */
const QUANTITY_FIELDS =
  /^(limits|requests|capacity|allocatable|allocatedResources|overhead|sizeLimit|divisor|hard)$/;
const NOT_QUANTITIES = new Set(['V1PodCertificateProjection']);

interface Attribute {
  readonly baseName: string;
  readonly type: string;
  readonly format: string;
}
interface Property {
  readonly description: string;
  readonly optional: boolean;
}
interface Model {
  readonly className: string;
  readonly goPackage: string;
  readonly description: string;
  readonly attributes: readonly (Attribute & Property)[];
}
type Schema = Readonly<Record<string, unknown>>;

const models = join(
  dirname(createRequire(import.meta.url).resolve('@kubernetes/client-node/package.json')),
  'dist/gen/models',
);
const reached = new Map<string, Model>();
for (const [goPackage, roots] of Object.entries(ROOTS))
  for (const root of roots) await reach(root, goPackage);
const ordered = [...reached.values()].sort((a, b) => (typeName(a) < typeName(b) ? -1 : 1));
const output = join(import.meta.dirname, '../packages/kube-api/generated');
writeFileSync(join(output, 'types.ts'), renderTypes(ordered));
writeFileSync(join(output, 'schema.json'), renderSchema(ordered));

function withList(kind: string): string[] {
  return [`V1${kind}`, `V1${kind}List`];
}

async function reach(className: string, goPackage: string): Promise<void> {
  if (reached.has(className)) return;
  const model = await readModel(className, goPackage);
  reached.set(className, model);
  for (const { type } of model.attributes) {
    const referred = modelNames(type);
    if (referred !== undefined) await reach(referred, goPackage);
  }
}

async function readModel(className: string, goPackage: string): Promise<Model> {
  const module = (await import(pathToFileURL(join(models, `${className}.js`)).href)) as Record<
    string,
    { readonly attributeTypeMap: readonly Attribute[] }
  >;
  const declaration = readFileSync(join(models, `${className}.d.ts`), 'utf8');
  const properties = new Map<string, Property>();
  for (const [, comment = '', name = '', mark] of declaration.matchAll(
    /^ {4}(?:\/\*\*\n((?: {4}\* .*\n)*) {4}\*\/\n {4})?'([^']+)'(\??):/gm,
  ))
    properties.set(name, { description: readComment(comment), optional: mark === '?' });
  const description = /\/\*\*\n((?:\* .*\n)*)\*\/\nexport declare class/.exec(declaration)?.[1] ?? '';
  const attributes = module[className]?.attributeTypeMap.map((attribute) => {
    const { name } = attribute as Attribute & { readonly name: string };
    const property = properties.get(name);
    if (property === undefined) throw new Error(`${className}.${name}: not in the .d.ts file`);
    return { ...attribute, ...property };
  });
  if (attributes === undefined) throw new Error(`${className}: no such model`);
  return { className, goPackage, description: readComment(description), attributes };
}

function readComment(text: string): string {
  return text
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, ''))
    .join('\n')
    .replace(/\\(['"`])/g, '$1')
    .trim();
}

/** The model class inside a type such as `Array<V1Container>`. */
function modelNames(type: string): string | undefined {
  return /\b((?:Authentication|Core|Discovery|Events)?V1[A-Z]\w*)/.exec(
    type.replaceAll('V1MicroTime', ''),
  )?.[1];
}

function typeName({ className }: { readonly className: string }): string {
  return TYPE_NAMES[className] ?? className.replace(/^(Authentication|Core|Discovery|Events)?V1/, '');
}

function definitionName({ className, goPackage }: Model): string {
  return `${goPackage}.${className.replace(/^(Authentication|Core|Discovery|Events)?V1/, '')}`;
}

function isQuantity(model: Model, { baseName, type }: Attribute): boolean {
  return QUANTITY_FIELDS.test(baseName) && /string/.test(type) && !NOT_QUANTITIES.has(model.className);
}

function renderTypes(all: readonly Model[]): string {
  const lines = [
    '// Written by tools/generate-kube-api.ts; do not edit.',
    '',
    '/** A number, or the name of a port or a percentage. */',
    'export type IntOrString = number | string;',
    '/** A decimal number with an optional suffix: `100m`, `1Gi`. */',
    'export type Quantity = string;',
    '/** RFC 3339, whole seconds, UTC. */',
    'export type Time = string;',
    '/** RFC 3339 with microseconds, UTC. */',
    'export type MicroTime = string;',
  ];
  // Clients see lists as ObjectList<T>; only the schemas need their own.
  for (const model of all.filter(({ className }) => !className.endsWith('List'))) {
    lines.push('', ...docComment(model.description, ''), `export interface ${typeName(model)} {`);
    for (const attribute of model.attributes) {
      lines.push(...docComment(attribute.description, '  '));
      const name = /^\w+$/.test(attribute.baseName) ? attribute.baseName : `'${attribute.baseName}'`;
      lines.push(`  readonly ${name}${attribute.optional ? '?' : ''}: ${tsType(model, attribute)};`);
    }
    lines.push('}');
  }
  return `${lines.join('\n')}\n`;
}

function tsType(model: Model, attribute: Attribute): string {
  const convert = (type: string): string => {
    const array = /^Array<(.*)>$/.exec(type)?.[1];
    if (array !== undefined) return `readonly ${convert(array)}[]`;
    const map = /^\{ \[key: string\]: (.*); \}$/.exec(type)?.[1];
    if (map !== undefined) return `{ readonly [key: string]: ${convert(map)} }`;
    if (type === 'Date') return attribute.format === 'date-time-micro' ? 'MicroTime' : 'Time';
    if (type === 'V1MicroTime') return 'MicroTime';
    if (type === 'any') return 'unknown';
    if (type === 'string' && isQuantity(model, attribute)) return 'Quantity';
    const className = modelNames(type);
    return className === undefined ? type : typeName({ className });
  };
  return convert(attribute.type);
}

/** First sentences only: the whole text is in schema.json. */
function docComment(description: string, indent: string): string[] {
  const first = /^.*?[.!](?= [A-Z]|$)/.exec(description.replace(/\s+/g, ' '))?.[0] ?? description;
  const text = first.replaceAll('*/', '*\\/').replace(/\s+/g, ' ').trim();
  return text === '' ? [] : [`${indent}/** ${text} */`];
}

function renderSchema(all: readonly Model[]): string {
  const definitions: Record<string, Schema> = {
    [QUANTITY]: {
      description: 'Quantity is a fixed-point representation of a number, such as 100m or 1Gi.',
      type: 'string',
    },
    [INT_OR_STRING]: {
      description: 'IntOrString is a type that can hold an int32 or a string.',
      type: 'string',
      format: 'int-or-string',
    },
  };
  for (const model of all) {
    const required = model.attributes.filter(({ optional }) => !optional).map(({ baseName }) => baseName);
    const properties = Object.fromEntries(
      model.attributes.map((attribute) => [
        attribute.baseName,
        { description: attribute.description, ...jsonSchema(model, attribute) },
      ]),
    );
    definitions[definitionName(model)] = {
      description: model.description,
      type: 'object',
      ...(required.length > 0 && { required }),
      properties,
    };
  }
  const sorted = Object.entries(definitions).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{\n${sorted.map(([name, schema]) => `${JSON.stringify(name)}: ${JSON.stringify(schema)}`).join(',\n')}\n}\n`;
}

function jsonSchema(model: Model, attribute: Attribute): Schema {
  const convert = (type: string): Schema => {
    const array = /^Array<(.*)>$/.exec(type)?.[1];
    if (array !== undefined) return { type: 'array', items: convert(array) };
    const map = /^\{ \[key: string\]: (.*); \}$/.exec(type)?.[1];
    if (map !== undefined) return { type: 'object', additionalProperties: convert(map) };
    if (type === 'string' && isQuantity(model, attribute)) return { $ref: QUANTITY };
    switch (type) {
      case 'Date':
      case 'V1MicroTime':
        return {
          type: 'string',
          format: attribute.format === 'date-time-micro' ? 'date-time-micro' : 'date-time',
        };
      case 'IntOrString':
        return { $ref: INT_OR_STRING };
      case 'any':
        return { type: 'object' };
      case 'string':
        return { type: 'string', ...(attribute.format === 'byte' && { format: 'byte' }) };
      case 'number':
        return attribute.format.startsWith('int')
          ? { type: 'integer', format: attribute.format }
          : { type: 'number', format: 'double' };
      case 'boolean':
        return { type: 'boolean' };
      default: {
        const referred = reached.get(modelNames(type) ?? '');
        if (referred === undefined)
          throw new Error(`${model.className}.${attribute.baseName}: unknown type ${type}`);
        return { $ref: definitionName(referred) };
      }
    }
  };
  return convert(attribute.type);
}

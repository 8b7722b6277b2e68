import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, resolve } from 'node:path';
import { isObject } from '#kube-api';
import { errorMessage, InvalidInputError, parseYaml } from '#runtime';
import type { ClientConfig, Credentials } from './config.ts';

export interface KubeconfigOptions {
  /** The files, in order; where two define one name the first counts. `$KUBECONFIG`, or `~/.kube/config`, unless told. */
  readonly paths?: readonly string[];
  /** `current-context` unless told. */
  readonly context?: string;
}

type Fields = Readonly<Record<string, unknown>>;
interface Entry {
  readonly fields: Fields;
  /** Paths in a kubeconfig are relative to the file they stand in. */
  readonly directory: string;
  /** For messages: `FILE: users[NAME]`. */
  readonly where: string;
}

/** The way to the API server that a kubeconfig's context names. Throws InvalidInputError naming file and field. */
export async function loadKubeconfig(options: KubeconfigOptions = {}): Promise<ClientConfig> {
  const paths = options.paths ?? defaultPaths();
  const files = await Promise.all(paths.map(readKubeconfig));
  const named = options.context ?? files.map((file) => file.fields['current-context']).find(Boolean);
  if (typeof named !== 'string')
    throw new InvalidInputError('current-context', named, `not set in ${paths.join(', ')}`);
  const context = find(files, 'contexts', 'context', named);
  const cluster = find(files, 'clusters', 'cluster', text(context, 'cluster') ?? '');
  const userName = text(context, 'user');
  const certificateAuthority = await pem(cluster, 'certificate-authority');
  const tlsServerName = text(cluster, 'tls-server-name');
  if (text(cluster, 'proxy-url') !== undefined) throw unsupported(cluster, 'proxy-url');
  return {
    server: required(cluster, 'server'),
    ...(certificateAuthority === undefined ? {} : { certificateAuthority }),
    ...(cluster.fields['insecure-skip-tls-verify'] === true ? { insecure: true } : {}),
    ...(tlsServerName === undefined ? {} : { tlsServerName }),
    credentials: userName === undefined ? {} : await credentials(find(files, 'users', 'user', userName)),
    namespace: text(context, 'namespace') ?? 'default',
  };
}

function defaultPaths(): readonly string[] {
  const listed = (process.env['KUBECONFIG'] ?? '').split(':').filter((path) => path !== '');
  return listed.length > 0 ? listed : [resolve(homedir(), '.kube/config')];
}

async function readKubeconfig(path: string): Promise<Entry> {
  const content = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new InvalidInputError('kubeconfig', path, `cannot be read: ${errorMessage(cause)}`);
  });
  const fields = await parse(content, path);
  if (!isObject(fields)) throw new InvalidInputError('kubeconfig', path, 'is not a kubeconfig');
  return { fields, directory: dirname(resolve(path)), where: path };
}

/** JSON is YAML, and costs no YAML parser in memory. */
async function parse(content: string, path: string): Promise<unknown> {
  try {
    if (content.trimStart().startsWith('{')) return JSON.parse(content);
    return await parseYaml(content);
  } catch (cause) {
    throw new InvalidInputError('kubeconfig', path, `is neither YAML nor JSON: ${errorMessage(cause)}`);
  }
}

function find(files: readonly Entry[], list: string, member: string, name: string): Entry {
  for (const { fields, directory, where } of files) {
    const entries = fields[list];
    const entry = Array.isArray(entries)
      ? entries.find((item) => isObject(item) && item['name'] === name)
      : undefined;
    if (isObject(entry) && isObject(entry[member]))
      return { fields: entry[member], directory, where: `${where}: ${list}[${name}]` };
  }
  throw new InvalidInputError(
    list,
    name,
    `no ${member} of this name in ${files.map((file) => file.where).join(', ')}`,
  );
}

async function credentials(user: Entry): Promise<Credentials> {
  for (const field of ['exec', 'auth-provider'])
    if (user.fields[field] !== undefined) throw unsupported(user, field);
  const tokenFile = text(user, 'tokenFile');
  return defined({
    certificate: await pem(user, 'client-certificate'),
    key: await pem(user, 'client-key'),
    token: text(user, 'token'),
    tokenFile: tokenFile === undefined ? undefined : resolve(user.directory, tokenFile),
    username: text(user, 'username'),
    password: text(user, 'password'),
  });
}

/** `FIELD-data` (base64) wins over `FIELD` (a path), as in client-go. */
async function pem(entry: Entry, field: string): Promise<string | undefined> {
  const data = text(entry, `${field}-data`);
  if (data !== undefined) return Buffer.from(data, 'base64').toString('utf8');
  const path = text(entry, field);
  if (path === undefined) return undefined;
  return readFile(resolve(entry.directory, path), 'utf8').catch((cause: unknown) => {
    throw new InvalidInputError(`${entry.where}.${field}`, path, `cannot be read: ${errorMessage(cause)}`);
  });
}

function text({ fields, where }: Entry, field: string): string | undefined {
  const value = fields[field];
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') throw new InvalidInputError(`${where}.${field}`, value, 'must be text');
  return value;
}

function required(entry: Entry, field: string): string {
  const value = text(entry, field);
  if (value === undefined) throw new InvalidInputError(`${entry.where}.${field}`, value, 'must be set');
  return value;
}

function unsupported(entry: Entry, field: string): InvalidInputError {
  return new InvalidInputError(`${entry.where}.${field}`, entry.fields[field], 'is not supported');
}

function defined(values: { readonly [K in keyof Credentials]: string | undefined }): Credentials {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

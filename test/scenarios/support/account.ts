import { chownSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../../..');

/** Who runs a command, with a private home: this user, or one without any privilege. */
export interface Account extends Disposable {
  readonly kind: 'root' | 'ordinary';
  readonly uid: number;
  readonly home: string;
  /** The command, run as this user. */
  command(words: readonly string[]): readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** Nobody's: rootless needs no entry in /etc/passwd. */
const ORDINARY_UID = 42_424;

/** This process's own user, or, when it is root, also an ordinary one. */
export function accountKinds(): readonly Account['kind'][] {
  return process.getuid?.() === 0 ? ['root', 'ordinary'] : ['ordinary'];
}

export function createAccount(kind: Account['kind']): Account {
  const home = mkdtempSync(join(tmpdir(), 'podway-scenario-'));
  const own = process.getuid?.() ?? 0;
  const switches = kind === 'ordinary' && own === 0;
  const uid = switches ? ORDINARY_UID : own;
  if (switches) chownSync(home, uid, uid);
  const prefix = switches ? ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--'] : [];
  return {
    kind,
    uid,
    home,
    command: (words) => [...prefix, ...words],
    env: { ...process.env, HOME: home, XDG_STATE_HOME: join(home, 'state'), NO_COLOR: '1' },
    [Symbol.dispose]: () => rmSync(home, { recursive: true, force: true }),
  };
}

/** Why an ordinary user cannot run this checkout; undefined when it can. */
export function whyNotForOthers(): string | undefined {
  for (let path = root; path !== '/'; path = resolve(path, '..'))
    if ((statSync(path).mode & 0o005) !== 0o005) return `${path} is closed to other users`;
  return undefined;
}

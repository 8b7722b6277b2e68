import { constants } from 'node:os';

/** Names that share a number with another; the other one is used. */
const ALIASES = new Set(['EWOULDBLOCK', 'ENOTSUP', 'EDEADLOCK']);

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno).flatMap(([name, number]) => (ALIASES.has(name) ? [] : [[number, name]])),
);

/** `EEXIST` for 17; `errno 530` for a number without a name. The sign does not matter. */
export function errnoName(errno: number): string {
  return NAMES.get(Math.abs(errno)) ?? `errno ${Math.abs(errno)}`;
}

/** The number of an errno name, 0 for an unknown one. */
export function errnoNumber(name: string): number {
  for (const [number, known] of NAMES) if (known === name) return number;
  return 0;
}

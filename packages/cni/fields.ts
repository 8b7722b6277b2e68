import { CNI_CODES, type CniCode, CniError } from './errors.ts';

/** Readers of untrusted JSON. Each names the field it was reading, and says what it found. */

export function invalid(
  field: string,
  value: unknown,
  expected: string,
  code: CniCode = CNI_CODES.invalidConfig,
): CniError {
  return new CniError(code, `${field}: ${shorten(value)} is not ${expected}`);
}

export function asObject(value: unknown, field: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(field, value, 'an object');
  return value as Readonly<Record<string, unknown>>;
}

/**
 * The named members of an object, found without regard to case as Go's encoding/json finds them: runtimes write their
 * structs' own names (containerd `HostPort`), and no plugin in Go ever saw a difference.
 */
export function asGoObject<const Name extends string>(
  value: unknown,
  field: string,
  names: readonly Name[],
): Readonly<Record<Name, unknown>> {
  const object = asObject(value, field);
  const folded = new Map(Object.entries(object).map(([name, member]) => [name.toLowerCase(), member]));
  return Object.fromEntries(
    names.map((name) => [name, object[name] ?? folded.get(name.toLowerCase())]),
  ) as Record<Name, unknown>;
}

export function asList(value: unknown, field: string): readonly unknown[] {
  if (!Array.isArray(value)) throw invalid(field, value, 'a list');
  return value;
}

export function asString(value: unknown, field: string): string {
  if (typeof value !== 'string') throw invalid(field, value, 'a string');
  return value;
}

/** @param range inclusive */
export function asInteger(value: unknown, field: string, range: readonly [number, number]): number {
  if (!Number.isInteger(value) || Number(value) < range[0] || Number(value) > range[1])
    throw invalid(field, value, `a whole number from ${range[0]} to ${range[1]}`);
  return Number(value);
}

/** undefined and null are absent: Go programs write either. */
export function optional<T>(
  value: unknown,
  field: string,
  read: (value: unknown, field: string) => T,
): T | undefined {
  return value === undefined || value === null ? undefined : read(value, field);
}

export function listOf<T>(
  read: (value: unknown, field: string) => T,
): (value: unknown, field: string) => readonly T[] {
  return (value, field) => asList(value, field).map((item, i) => read(item, `${field}[${i}]`));
}

/** Reads with a parser that throws its own reason (`parseIp`, `parsePrefix`, …). */
export function parsed<T>(parse: (text: string) => T): (value: unknown, field: string) => T {
  return (value, field) => {
    const text = asString(value, field);
    try {
      return parse(text);
    } catch (error) {
      throw new CniError(
        CNI_CODES.invalidConfig,
        `${field}: ${error instanceof Error ? error.message : error}`,
      );
    }
  };
}

/** The object without its undefined members: absent in JSON, and for exact optional types. */
export function present<T extends object>(object: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

function shorten(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

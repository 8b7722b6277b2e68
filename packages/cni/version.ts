import { CNI_CODES, CniError } from './errors.ts';
import type { CniCommand } from './request.ts';

export type CniVersion = '0.3.1' | '0.4.0' | '1.0.0' | '1.1.0';

export const CNI_VERSIONS: readonly CniVersion[] = ['0.3.1', '0.4.0', '1.0.0', '1.1.0'];
export const LATEST_CNI_VERSION: CniVersion = '1.1.0';

/** @throws CniError 1 when it is none that this plugin speaks */
export function parseVersion(value: unknown): CniVersion {
  // A configuration without a version is one of the first specification's (0.1.0).
  const text = value === undefined ? '0.1.0' : value;
  const version = CNI_VERSIONS.find((known) => known === text);
  if (version === undefined)
    throw new CniError(
      CNI_CODES.incompatibleVersion,
      `cniVersion: ${JSON.stringify(text)} is not supported`,
      {
        details: `supported are ${CNI_VERSIONS.join(', ')}`,
      },
    );
  return version;
}

/** The specification that first had the command. */
const SINCE: Readonly<Partial<Record<CniCommand, CniVersion>>> = {
  CHECK: '0.4.0',
  GC: '1.1.0',
  STATUS: '1.1.0',
};

/** @throws CniError 1 when the specification of that version has no such command */
export function requireCommand(command: CniCommand, version: CniVersion): void {
  const since = SINCE[command];
  if (since !== undefined && !isAtLeast(version, since))
    throw new CniError(
      CNI_CODES.incompatibleVersion,
      `cniVersion: "${version}" is not supported for ${command}`,
      { details: `${command} is there since ${since}` },
    );
}

export function isAtLeast(version: CniVersion, least: CniVersion): boolean {
  return CNI_VERSIONS.indexOf(version) >= CNI_VERSIONS.indexOf(least);
}

import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { hasErrorCode, writeFileAtomically } from '#runtime';
import { LabError } from './errors.ts';
import type { NodeAddresses } from './node-readiness.ts';
import type { LabOptions } from './options.ts';
import type { ProcessIdentity } from './process-identity.ts';

/** What is stored of a lab for as long as it exists (`lab.json`). */
export interface LabRecord {
  readonly name: string;
  /** RFC 3339. */
  readonly createdAt: string;
  readonly options: LabOptions;
  /** The API server's port on 127.0.0.1; taken again at a restart if it is free. */
  readonly port: number;
}

export interface LabNode extends NodeAddresses {
  readonly name: string;
}

/** A part of the boot and when it was done, in milliseconds since the command began. */
export interface BootMark {
  readonly part: string;
  readonly at: number;
}

/** What `up` stores of the processes it started (`instance.json`). */
export interface LabInstance {
  /** RFC 3339. */
  readonly startedAt: string;
  /** unshare(1), outside the lab: with its end the kernel ends the lab. Its only child is the lab's PID 1. */
  readonly holder: ProcessIdentity;
}

/** What the lab itself stores once it is ready (`boot.json`). */
export interface BootResult {
  readonly nodes: readonly LabNode[];
  /** From the start of the command to all nodes Ready. */
  readonly bootMilliseconds: number;
  /** From the start of the command to the first right DNS answer in a Pod; null when none came in time. */
  readonly dnsMilliseconds: number | null;
  readonly marks: readonly BootMark[];
}

/** The tops of the control groups that Pods' limits are in (`cgroups.json`). */
export interface LabCgroups {
  readonly directories: readonly string[];
}

type StoredRecord = LabRecord | LabInstance | BootResult | LabCgroups;

/** undefined when there is no such file. @throws LabError when it is not JSON */
export function readRecord<T extends StoredRecord>(path: string): T | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new LabError(
      `${path} is damaged; remove the lab with: podway lab down --name ${basename(dirname(path))}`,
      { cause },
    );
  }
}

export function writeRecord<T extends StoredRecord>(path: string, record: T): void {
  writeFileAtomically(path, `${JSON.stringify(record, undefined, 2)}\n`, 0o600);
}

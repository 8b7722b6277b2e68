import { InvalidInputError } from '#runtime';
import { nameFlag } from './lab-status.ts';
import { DEFAULT_LAB_OPTIONS, type LabOptions } from './options.ts';

/** What a lab is made with, and cannot become. */
const SHAPE = { nodes: '--nodes', podNetwork: '--pod-network', ipFamily: '--ip-family' } as const;

/** A stored lab keeps its shape; the rest may be chosen again. @throws InvalidInputError when another shape is asked for */
export function agreeOnOptions(
  name: string,
  stored: LabOptions | undefined,
  asked: Partial<LabOptions>,
): LabOptions {
  if (stored === undefined) return { ...DEFAULT_LAB_OPTIONS, ...asked };
  for (const field of ['nodes', 'podNetwork', 'ipFamily'] as const) {
    const value = asked[field];
    if (value !== undefined && value !== stored[field])
      throw new InvalidInputError(
        SHAPE[field],
        value,
        `lab ${name} was made with ${stored[field]}; leave the flag out, or remove the lab first: podway lab down${nameFlag(name)}`,
      );
  }
  return { ...stored, ...asked };
}

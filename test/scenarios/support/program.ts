import { dirname, join, resolve } from 'node:path';

/** The launcher of this checkout. */
export const PODWAY = resolve(import.meta.dirname, '../../../podway');

/**
 * What the launcher runs in the end, once it has looked for newer sources: that takes a second a time inside the virtual machine, and
 * whoever boots it has had it built.
 */
export const PROGRAM =
  process.env['PODWAY_TEST_VM'] === undefined
    ? [PODWAY]
    : [process.execPath, join(dirname(PODWAY), 'dist/podway.js')];

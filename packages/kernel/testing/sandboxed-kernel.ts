import { relative } from 'node:path';
import { linuxKernel } from '../linux/kernel.ts';
import type { Kernel } from '../ports/kernel.ts';

let isSandbox = false;

/**
 * For tests that change the network of where they run: the kernel of this process, in the namespaces that `./podway test` makes for each file.
 * A network namespace that was made for a test has no link up yet, not even `lo`; in one that somebody uses the test is refused.
 */
export function sandboxedKernel(): Kernel {
  const kernel = linuxKernel();
  if (isSandbox) return kernel;
  using own = kernel.currentNetns();
  if (own.links.list().some(({ up }) => up)) {
    const file = relative(process.cwd(), process.argv[1] ?? 'FILE');
    throw new Error(
      `this test would change the machine's own network: ./podway test ${file} gives it namespaces of its own`,
    );
  }
  isSandbox = true;
  return kernel;
}

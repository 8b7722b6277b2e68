import { after, before, describe, test } from 'node:test';
import type { IpFamily } from '#ip';
import { sandboxedKernel } from '#kernel';
import { NamespaceLab } from './namespace-lab.ts';
import type { TestedMechanism } from './tested-mechanism.ts';

export interface LabSuite {
  /** The lab; there while tests run. */
  lab(): NamespaceLab;
  /** `test`, skipped with the mechanism's reason where it has one. */
  shown(name: string, run: () => Promise<void>): void;
}

/** Tests of a mechanism in a lab of their own. */
export function describeInLab(
  title: string,
  mechanism: TestedMechanism,
  family: IpFamily,
  body: (suite: LabSuite) => void,
): void {
  describe(title, () => {
    let lab: NamespaceLab;
    before(async () => {
      lab = new NamespaceLab(sandboxedKernel(), family);
      await lab.serve();
    });
    body({
      lab: () => lab,
      shown: (name, run) => void test(name, { skip: mechanism.skip?.(name, family) ?? false }, run),
    });
    // After those of the body, which may need it.
    after(() => lab[Symbol.asyncDispose]());
  });
}

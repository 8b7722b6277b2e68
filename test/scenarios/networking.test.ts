import { suite } from 'node:test';
import { granularChecks } from './support/granular-checks.ts';
import { TestLab } from './support/lab.ts';
import { TestNamespace } from './support/test-namespace.ts';

/** Cases of Kubernetes' network suite under their own names; docs/conformance.md lists all of them. */
suite('[sig-network] Networking Granular Checks', () => {
  const lab = TestLab.ofSuite();
  granularChecks(lab, TestNamespace.ofSuite(lab, 'nettest'), 0);
});

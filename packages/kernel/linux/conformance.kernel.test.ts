import { kernelConformance } from '../conformance/suite.ts';
import { sandboxedKernel } from '../testing/sandboxed-kernel.ts';

kernelConformance('Linux kernel', sandboxedKernel());

import { kernelConformance } from '../conformance/suite.ts';
import { fakeKernel } from './kernel.ts';

kernelConformance('fake kernel', fakeKernel());

import { kernelConformance } from '../conformance.ts';
import { fakeKernel } from './kernel.ts';

kernelConformance('fake kernel', fakeKernel());

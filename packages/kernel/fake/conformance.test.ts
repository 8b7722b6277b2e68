import { ipvsConformance } from '../conformance/ipvs.ts';
import { kernelConformance } from '../conformance/suite.ts';
import { fakeKernel } from './kernel.ts';

kernelConformance('fake kernel', fakeKernel());
ipvsConformance('fake kernel', fakeKernel());

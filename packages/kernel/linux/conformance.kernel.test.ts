import { kernelConformance } from '../conformance/suite.ts';
import { linuxKernel } from './kernel.ts';

kernelConformance('Linux kernel', linuxKernel());

import { kernelConformance } from '../conformance.ts';
import { linuxKernel } from './kernel.ts';

kernelConformance('Linux kernel', linuxKernel());

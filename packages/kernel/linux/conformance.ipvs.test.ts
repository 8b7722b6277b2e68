import { ipvsConformance } from '../conformance/ipvs.ts';
import { linuxKernel } from './kernel.ts';

ipvsConformance('Linux kernel', linuxKernel());

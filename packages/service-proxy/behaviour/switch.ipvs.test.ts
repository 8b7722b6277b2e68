/** The same switches where the kernel has IPVS. */
import './switch.kernel.test.ts';

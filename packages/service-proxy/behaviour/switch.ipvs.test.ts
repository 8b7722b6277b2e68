/** The switches to and from IPVS, where the kernel has it. */
import './switch.kernel.test.ts';

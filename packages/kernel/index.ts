export { ensureAddressHolder } from './address-holder.ts';
export { errnoName, isKernelError, KernelError, type KernelFailure, NetlinkFormatError } from './errors.ts';
export { type BindOptions, bindIn } from './linux/bind-in.ts';
export { connectIn } from './linux/connect-in.ts';
export { linuxKernel } from './linux/kernel.ts';
export type * from './ports.ts';
export { ROUTE_PROTOCOL_PODWAY, ROUTE_TABLE_MAIN } from './ports.ts';
export { describeRoute } from './route-text.ts';

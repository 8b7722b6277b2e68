export { ensureAddressHolder } from './address-holder.ts';
export { errnoName, isKernelError, KernelError, type KernelFailure, NetlinkFormatError } from './errors.ts';
export { type FakeKernel, fakeKernel } from './fake/kernel.ts';
export { FakeLimitError } from './fake/limit-error.ts';
export type * from './ipvs-port.ts';
export { type BindOptions, bindIn } from './linux/bind-in.ts';
export { connectIn } from './linux/connect-in.ts';
export { linuxKernel } from './linux/kernel.ts';
export { filterSources, type SourceTest } from './linux/source-filter.ts';

export { ensureAddressHolder } from './address-holder.ts';
export { isKernelError, KernelError, type KernelFailure, NetlinkFormatError } from './errors.ts';
export { type FakeKernel, fakeKernel } from './fake/kernel.ts';
export { FakeLimitError } from './fake/limit-error.ts';
export { type BindOptions, bindIn } from './linux/bind-in.ts';
export { connectIn } from './linux/connect-in.ts';
export { linuxKernel } from './linux/kernel.ts';
export { Poller, type Readiness } from './linux/poller.ts';
export {
  acceptConnection,
  beginConnection,
  closeDescriptor,
  endSending,
  FAILED,
  NO_ROOM,
  NOT_NOW,
  PeerAddress,
  receive,
  receiveFrom,
  resetOnClose,
  setStreamOptions,
  transmit,
  transmitTo,
} from './linux/raw-sockets.ts';
export { filterSources, type SourceTest } from './linux/source-filter.ts';
export { LoopbackRouting } from './loopback-routing.ts';
export { flattenNftKey } from './nft-element.ts';
export type * from './ports/addresses.ts';
export type * from './ports/conntrack.ts';
export type * from './ports/fdb.ts';
export type * from './ports/iptables.ts';
export type * from './ports/ipvs.ts';
export type * from './ports/kernel.ts';
export type * from './ports/links.ts';
export type * from './ports/monitor.ts';
export type * from './ports/namespace.ts';
export type * from './ports/neighbours.ts';
export type * from './ports/nft.ts';
export type * from './ports/routes.ts';
export { ROUTE_PROTOCOL_PODWAY, ROUTE_TABLE_MAIN } from './ports/routes.ts';
export type * from './ports/shaping.ts';
export type * from './ports/sysctl.ts';
export { describeRoute } from './route-text.ts';
export { sandboxedKernel } from './testing/sandboxed-kernel.ts';

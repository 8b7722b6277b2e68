/** What is asked for in the DNS benchmark; every server has the same names. */

export const SERVICES = 10_000;
export const ENDPOINTS_EACH = 10;
export const OUTSIDE = 200;
export const PORTS = { podway: 15351, unbound: 15352, upstream: 15353, coredns: 15354 } as const;

export const indices = <T>(count: number, make: (i: number) => T): readonly T[] =>
  Array.from({ length: count }, (_, i) => make(i));
export const serviceName = (i: number) => `svc${i}.ns${i % 100}.svc.cluster.local`;
/** A change is a new generation, and a new address. */
export const serviceAddress = (i: number, generation = 0) => `10.${96 + generation}.${i >> 8}.${i & 255}`;
/** Headless Services of one endpoint each, over and above: what a change of an endpoint is measured by. */
export const HEADLESS = 100;
export const headlessName = (i: number) => `pets${i}.ns${i}.svc.cluster.local`;
export const endpointAddress = (i: number, generation = 0) => `10.250.${generation}.${i}`;
export const outsideName = (i: number) => `host${i}.example.com`;

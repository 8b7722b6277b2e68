import { parseIp } from '#ip';
import { bindIn, closeDescriptor, filterSources, type NetworkNamespace } from '#kernel';
import { errorMessage } from '#runtime';
import { ServiceRoutes } from './service-routes.ts';

/** TEST-NET-1 (RFC 5737): nobody's. */
const ADDRESS = parseIp('192.0.2.93');
const LOW_PORT = 93;

/** What is missing for a relay, in plain words. It needs no packet filter of the kernel. */
export function probeRelay(netns: NetworkNamespace): readonly string[] {
  const missing: string[] = [];
  const attempt = (what: string, action: () => void) => {
    try {
      action();
    } catch (error) {
      missing.push(`missing: ${what}: ${errorMessage(error)}`);
    }
  };
  if (netns.links.get('lo')?.up !== true) missing.push('missing: a loopback link (lo) that is up');
  attempt('the right to add routes (CAP_NET_ADMIN)', () => new ServiceRoutes(netns).probe(ADDRESS));
  attempt('the right to listen on any address and port, with a filter (CAP_NET_BIND_SERVICE)', () => {
    const fd = bindIn(netns, { protocol: 'tcp', address: ADDRESS, port: LOW_PORT, freeBind: true });
    try {
      filterSources(fd, 'IPv4', [{ prefixes: [], fromHost: false }]);
    } finally {
      closeDescriptor(fd);
    }
  });
  return missing;
}

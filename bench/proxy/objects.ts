import { type IpAddress, ipAdd, parseIp } from '#ip';
import type { EndpointSlice, Service } from '#kube-api';

const FIRST_SERVICE = parseIp('10.96.1.0');
const FIRST_POD = parseIp('11.0.0.0');
const NODES = 100;

/** One of many Services, `default/service-I`. */
export function service(i: number): Service {
  const address: IpAddress = ipAdd(FIRST_SERVICE, i);
  return {
    metadata: { namespace: 'default', name: `service-${i}` },
    spec: {
      type: 'ClusterIP',
      clusterIP: address,
      clusterIPs: [address],
      ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 8080 }],
    },
  };
}

/** Its endpoints, on a hundred nodes. @param shift another first Pod behind the same Service */
export function slice(i: number, endpoints: number, shift = 0): EndpointSlice {
  return {
    metadata: {
      namespace: 'default',
      name: `service-${i}-x`,
      labels: { 'kubernetes.io/service-name': `service-${i}` },
    },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: Array.from({ length: endpoints }, (_, e) => ({
      addresses: [ipAdd(FIRST_POD, i * endpoints + e + (e === 0 ? shift : 0))],
      nodeName: `node${(i + e) % NODES}`,
      conditions: { ready: true, serving: true, terminating: false },
    })),
  };
}

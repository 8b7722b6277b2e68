import assert from 'node:assert/strict';
import test from 'node:test';
import type { Service } from '#kube-api';
import { serviceEnvironment } from './service-environment.ts';

const service = (namespace: string, name: string, clusterIP: string): Service => ({
  metadata: { namespace, name },
  spec: {
    clusterIP,
    ports: [
      { name: 'web-ui', port: 80 },
      { port: 53, protocol: 'UDP' },
    ],
  },
});

test('serviceEnvironment: all variables of a Service', () => {
  const env = serviceEnvironment([service('shop', 'my-svc', '10.96.0.7')], 'shop', true);
  assert.deepEqual(Object.fromEntries(env), {
    MY_SVC_SERVICE_HOST: '10.96.0.7',
    MY_SVC_SERVICE_PORT: '80',
    MY_SVC_SERVICE_PORT_WEB_UI: '80',
    MY_SVC_PORT: 'tcp://10.96.0.7:80',
    MY_SVC_PORT_80_TCP: 'tcp://10.96.0.7:80',
    MY_SVC_PORT_80_TCP_PROTO: 'tcp',
    MY_SVC_PORT_80_TCP_PORT: '80',
    MY_SVC_PORT_80_TCP_ADDR: '10.96.0.7',
    MY_SVC_PORT_53_UDP: 'udp://10.96.0.7:53',
    MY_SVC_PORT_53_UDP_PROTO: 'udp',
    MY_SVC_PORT_53_UDP_PORT: '53',
    MY_SVC_PORT_53_UDP_ADDR: '10.96.0.7',
  });
});

test('serviceEnvironment: own namespace and kubernetes; no headless ones; links can be off', () => {
  const services = [
    service('default', 'kubernetes', '10.96.0.1'),
    service('default', 'other', '10.96.0.2'),
    service('shop', 'own', '10.96.0.3'),
    service('shop', 'headless', 'None'),
  ];
  const hosts = (links: boolean) =>
    [...serviceEnvironment(services, 'shop', links).keys()].filter((name) => name.endsWith('_SERVICE_HOST'));
  assert.deepEqual(hosts(true), ['KUBERNETES_SERVICE_HOST', 'OWN_SERVICE_HOST']);
  assert.deepEqual(hosts(false), ['KUBERNETES_SERVICE_HOST']);
});

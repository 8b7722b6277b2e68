import type { Pod, PodSpec } from '#kube-api';

/** A Pod `web-1` of the namespace `shop`. */
export const podOf = (spec: Partial<PodSpec>): Pod => ({
  metadata: { name: 'web-1', namespace: 'shop', uid: 'u1', labels: { app: 'web', tier: 'front' } },
  spec: { containers: [], ...spec },
});

/** What is known of it and of its node when its containers are planned. */
export const PLAN_CONTEXT = {
  podIps: ['10.244.1.7', 'fd00::7'],
  hostIps: ['172.30.0.11'],
  nodeName: 'node1',
  allocatable: { cpu: 4, memory: 8 * 2 ** 30 },
  hostname: 'web-1',
  serviceEnvironment: new Map([['REDIS_SERVICE_HOST', '10.96.3.4']]),
  objects: {
    configMaps: new Map([['settings', { data: { COLOUR: 'blue', 'app.conf': 'x=1\n' } }]]),
    secrets: new Map([['login', { data: { password: Buffer.from('s3cret').toString('base64') } }]]),
  },
  tokens: new Map([['', 'a.b.c']]),
};

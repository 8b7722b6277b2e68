import { onIpvs } from './support/on-ipvs.ts';

await onIpvs('services-node-port');

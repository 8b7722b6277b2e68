import { kubeClientConformance } from '#kube-client/conformance';
import { clusterSuite } from './testing/cluster-suite.ts';
import { embeddedServer } from './testing/embedded-server.ts';

for (const reach of ['in process', 'over HTTPS'] as const) {
  kubeClientConformance(`embedded server ${reach}`, () => embeddedServer(reach));
  clusterSuite(`embedded server ${reach}`, () => embeddedServer(reach));
}

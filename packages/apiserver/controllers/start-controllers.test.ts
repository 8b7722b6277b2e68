import { FakeKubeClient } from '#kube-client';
import { clusterSuite } from './testing/cluster-suite.ts';

clusterSuite('fake', async () => ({
  client: new FakeKubeClient(),
  async [Symbol.asyncDispose]() {},
}));

import { kubeClientConformance } from '../conformance/index.ts';
import { FakeKubeClient } from './fake-client.ts';

kubeClientConformance('fake', async () => ({
  client: new FakeKubeClient(),
  async [Symbol.asyncDispose]() {},
}));

/** The program of the thread that relays: see relay-thread.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { linuxKernel } from '#kernel';
import { systemClock, systemRandom } from '#runtime';
import { DescriptorSet } from './descriptor-set.ts';
import { Relay } from './relay.ts';
import type { RelayPost } from './relay-thread.ts';

const relay = new Relay({
  netns: linuxKernel().currentNetns(),
  clock: systemClock,
  random: systemRandom,
  descriptors: new DescriptorSet(workerData as SharedArrayBuffer),
});
parentPort?.on('message', ({ messages, receipt }: RelayPost) => {
  for (const message of messages) relay.handle(message);
  if (receipt !== undefined) parentPort?.postMessage(receipt);
});

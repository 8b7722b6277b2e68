/** The program of the thread that relays: see relay-thread.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { linuxKernel } from '#kernel';
import { systemClock, systemRandom } from '#runtime';
import { DescriptorSet } from './descriptor-set.ts';
import { Relay } from './relay.ts';
import { END, type RelayPost } from './relay-messages.ts';

const relay = new Relay({
  netns: linuxKernel().currentNetns(),
  clock: systemClock,
  random: systemRandom,
  descriptors: new DescriptorSet(workerData as SharedArrayBuffer),
});
// A native callback (the poller's) into a thread that is ending aborts the whole process: none may come any more.
process.once('uncaughtExceptionMonitor', () => void relay[Symbol.asyncDispose]());
parentPort?.on('message', async (post: RelayPost | typeof END) => {
  if (post === END) {
    await relay[Symbol.asyncDispose]();
    process.exit(); // of a thread: it alone ends, with what it still has timers for
  }
  for (const message of post.messages) relay.handle(message);
  if (post.receipt !== undefined) parentPort?.postMessage(post.receipt);
});

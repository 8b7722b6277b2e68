import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NLM_F_DUMP_INTR } from '../netlink/header-flags.ts';
import { decodeLink, encodeLinkQuery, RTM_GETLINK } from '../netlink/link.ts';
import type { NetlinkMessage } from '../netlink/reader.ts';
import { sandboxedKernel } from '../testing/sandboxed-kernel.ts';
import { NETLINK_ROUTE, NetlinkSocket } from './netlink-socket.ts';

/** More than fits into one part of a dump. */
const LINKS = 50;
const LIST = {
  type: RTM_GETLINK,
  body: (writer: Parameters<typeof encodeLinkQuery>[0]) => encodeLinkQuery(writer, {}),
  operation: 'list',
  object: 'links',
};

/** Does something after the first part of each dump that comes, and counts. */
class Disturbed extends NetlinkSocket {
  dumps = 0;
  interrupted = 0;
  #parts = 0;
  readonly #afterFirstPart: (dump: number) => void;

  constructor(afterFirstPart: (dump: number) => void) {
    super(NETLINK_ROUTE);
    this.#afterFirstPart = afterFirstPart;
  }

  override sendRaw(bytes: Buffer, operation: string, object: string): void {
    this.dumps++;
    this.#parts = 0;
    super.sendRaw(bytes, operation, object);
  }

  override receive(operation: string, object: string, flags = 0): readonly NetlinkMessage[] | undefined {
    const messages = super.receive(operation, object, flags);
    // What they hold is in a buffer that the next request uses too.
    const kept = messages?.map((message) => ({ ...message, payload: Buffer.from(message.payload) }));
    if (kept?.some((message) => (message.flags & NLM_F_DUMP_INTR) !== 0)) this.interrupted++;
    if (++this.#parts === 1) this.#afterFirstPart(this.dumps);
    return kept;
  }
}

describe('NetlinkSocket: a dump during which the table changes', () => {
  const kernel = sandboxedKernel();
  const dumpers = {
    dump: async (socket: NetlinkSocket) => socket.dump(LIST, ({ payload }) => decodeLink(payload).name),
    dumpInParts: (socket: NetlinkSocket) =>
      socket.dumpInParts(LIST, ({ payload }) => decodeLink(payload).name),
  };

  for (const [name, dump] of Object.entries(dumpers)) {
    test(`${name}: is asked again, and the answer is of the time after the change`, async () => {
      using netns = kernel.createNetns(`/run/netns/${name}`);
      for (let i = 0; i < LINKS; i++) netns.links.add({ kind: 'bridge', name: `br${i}` });
      const change = (dump: number) => {
        if (dump > 2) return;
        netns.links.delete(`br${dump}`);
        netns.links.add({ kind: 'bridge', name: `new${dump}` });
      };
      using socket = netns.run(() => new Disturbed(change));
      const names = await dump(socket);
      assert.deepEqual(
        names.toSorted(),
        netns.links
          .list()
          .map((link) => link.name)
          .toSorted(),
      );
      assert.ok(names.includes('new2') && !names.includes('br1'), names.join(' '));
      assert.equal(socket.dumps, 3);
      assert.ok(socket.interrupted >= 2, `the kernel said so ${socket.interrupted} times`);
      kernel.deleteNetns(`/run/netns/${name}`);
    });

    test(`${name}: ends although the table never rests`, async () => {
      using netns = kernel.createNetns(`/run/netns/${name}`);
      for (let i = 0; i < LINKS; i++) netns.links.add({ kind: 'bridge', name: `br${i}` });
      using socket = netns.run(() => new Disturbed((dump) => netns.links.delete(`br${dump}`)));
      const names = await dump(socket);
      assert.equal(socket.dumps, 10);
      assert.ok(names.includes(`br${LINKS - 1}`));
      kernel.deleteNetns(`/run/netns/${name}`);
    });
  }
});

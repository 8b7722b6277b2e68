import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { parseIp } from '#ip';
import { eventually } from '#runtime';
import type { NetworkNamespace } from '../ports/namespace.ts';
import { sandboxedKernel } from '../testing/sandboxed-kernel.ts';
import { bindIn } from './bind-in.ts';
import { Poller, type Readiness } from './poller.ts';
import {
  acceptConnection,
  beginConnection,
  closeDescriptor,
  endSending,
  FAILED,
  NOT_NOW,
  PeerAddress,
  receive,
  resetOnClose,
  transmit,
} from './raw-sockets.ts';

describe('Poller', () => {
  const kernel = sandboxedKernel();
  const address = parseIp('127.0.0.1');
  let netns: NetworkNamespace;
  let listener: number;
  let poller: Poller;
  before(() => {
    netns = kernel.createNetns('/run/netns/poller');
    netns.links.set('lo', { up: true });
    listener = bindIn(netns, { protocol: 'tcp', address, port: 7000 });
    poller = new Poller();
  });
  after(() => {
    poller[Symbol.dispose]();
    closeDescriptor(listener);
    netns[Symbol.dispose]();
    kernel.deleteNetns('/run/netns/poller');
  });
  /** A busy kernel makes a connection over loopback a little later. */
  const accepted = () =>
    eventually('a connection', () => {
      const fd = acceptConnection(listener, new PeerAddress());
      return fd !== NOT_NOW && fd;
    });
  const pair = async (): Promise<readonly [number, number]> => {
    const one = beginConnection(netns, 'tcp', address, 7000);
    return [one, await accepted()];
  };
  /** For what should not come: the event loop has looked several times. */
  const moment = async () => {
    for (let turns = 0; turns < 4; turns++) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  const describeReady = ({ readable, writable, ended, failed }: Readiness) =>
    Object.entries({ readable, writable, ended, failed })
      .flatMap(([name, holds]) => (holds ? name : []))
      .join(' ');

  test('watch: changes are told once each, with ends and resets; redirect, unwatch', async () => {
    const [one, other] = await pair();
    const buffer = Buffer.alloc(10);
    const told: string[] = [];
    const id = poller.watch(one, 'changes', (ready) => told.push(describeReady(ready)));
    /** What is told until nothing more is. */
    const next = async () => {
      await eventually('something is told', () => told.length > 0);
      await moment();
      return told.splice(0);
    };
    const nothing = async () => {
      await moment();
      return told.length === 0;
    };
    assert.deepEqual(await next(), ['writable']);
    assert.ok(await nothing());
    transmit(other, Buffer.from('abc'), 3);
    assert.deepEqual(await next(), ['readable writable']);
    assert.ok(await nothing(), 'what is not read is not told of again');
    assert.deepEqual([receive(one, buffer), receive(one, buffer)], [3, NOT_NOW]);
    endSending(other);
    assert.deepEqual(await next(), ['readable writable ended']);
    assert.equal(receive(one, buffer), 0);
    poller.redirect(id, (ready) => told.push(`redirected: ${describeReady(ready)}`));
    resetOnClose(other);
    closeDescriptor(other);
    assert.deepEqual(await next(), ['redirected: readable writable ended failed']);
    assert.equal(transmit(one, buffer, 1), FAILED);
    poller.unwatch(id, one);
    closeDescriptor(one);
    assert.ok(await nothing());
  });

  test('watch: readable is told as long as it holds', async () => {
    let told = 0;
    const id = poller.watch(listener, 'readable', () => told++);
    await moment();
    assert.equal(told, 0);
    const one = beginConnection(netns, 'tcp', address, 7000);
    await eventually('it is told again and again', () => told > 1);
    const other = await accepted();
    await moment();
    const before = told;
    await moment();
    assert.equal(told, before);
    poller.unwatch(id, listener);
    for (const fd of [one, other]) closeDescriptor(fd);
  });

  test('forget: a descriptor that has the number of a closed one gets none of its events', async () => {
    const [one, other] = await pair();
    const told: string[] = [];
    poller.forget(poller.watch(one, 'changes', () => told.push('old')));
    closeDescriptor(one);
    const [again, peer] = await pair();
    assert.equal(again, one);
    poller.watch(again, 'changes', () => told.push('new'));
    await eventually('the new one is told', () => told.length > 0);
    await moment();
    assert.deepEqual(told, ['new']);
    for (const fd of [again, peer, other]) closeDescriptor(fd);
  });
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '#runtime';
import { FlowLimit } from './flow-limit.ts';

describe('FlowLimit', () => {
  const start = (max?: number) => {
    const clock = new FakeClock();
    const limit = new FlowLimit(clock, max);
    const ended: string[] = [];
    const flow = (name: string) => {
      const self = {
        end: () => {
          ended.push(name);
          limit.forget(self);
        },
      };
      return self;
    };
    return { clock, limit, ended, flow };
  };

  test('touch: a flow ends half a minute after its last packet, each at its own time', () => {
    const { clock, limit, ended, flow } = start();
    const [a, b] = [flow('a'), flow('b')];
    limit.touch(a);
    clock.advance(10_000);
    limit.touch(b);
    clock.advance(15_000);
    limit.touch(a);
    clock.advance(14_999);
    assert.deepEqual(ended, []);
    clock.advance(1);
    assert.deepEqual(ended, ['b']);
    clock.advance(15_000);
    assert.deepEqual(ended, ['b', 'a']);
    limit.touch(flow('c'));
    clock.advance(30_000);
    assert.deepEqual(ended, ['b', 'a', 'c']);
  });

  test('touch: one too many ends the one that was silent longest', () => {
    const { limit, ended, flow } = start(2);
    const [a, b, c] = [flow('a'), flow('b'), flow('c')];
    for (const each of [a, b, a, c]) limit.touch(each);
    assert.deepEqual(ended, ['b']);
    limit.touch(c);
    assert.deepEqual(ended, ['b']);
  });

  test('forget: a flow that has ended takes no place', () => {
    const { limit, ended, flow } = start(1);
    const a = flow('a');
    limit.touch(a);
    limit.forget(a);
    limit.touch(flow('b'));
    assert.deepEqual(ended, []);
  });
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseIp as ip } from '#ip';
import type { Fixture } from './fixture.ts';

export function conntrackConformance(given: Fixture): void {
  describe('conntrack', () => {
    test('list, delete: an empty table', async () => {
      assert.deepEqual(await given.netns.conntrack.list({ protocol: 17 }), []);
      const tuple = {
        source: ip('10.0.0.1'),
        destination: ip('10.0.0.2'),
        protocol: 17,
        sourcePort: 1,
        destinationPort: 2,
      };
      given.netns.conntrack.delete({ original: tuple });
    });
  });
}

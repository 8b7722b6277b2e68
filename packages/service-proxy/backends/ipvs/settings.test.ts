import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeKernel } from '#kernel';
import { applySettings } from './settings.ts';

test('applySettings: sets what differs, tells what cannot be set, and whether the rest still holds', () => {
  const { sysctl } = fakeKernel().currentNetns();
  const first = applySettings(sysctl, ['IPv4'], false);
  assert.equal(first.writes, 2);
  assert.deepEqual(
    ['net.ipv4.vs.conntrack', 'net.ipv4.ip_forward'].map((key) => sysctl.get(key)),
    ['1', '1'],
  );
  // The fake kernel has none of these.
  assert.equal(first.problems.length, 3);
  assert.match(first.problems.join(), /expire_nodest_conn should be 1 \(.*conn_reuse_mode/);
  assert.equal(first.hold(), true);
  sysctl.set('net.ipv4.ip_forward', '0');
  assert.equal(first.hold(), false);
  assert.equal(applySettings(sysctl, ['IPv4'], false).writes, 1);
  assert.equal(first.hold(), true);
  const problems = () => applySettings(sysctl, ['IPv4', 'IPv6'], false).problems.join();
  assert.match(problems(), /bridge-nf-call-ip6tables is 1: IPv6 datagrams in fragments/);
  sysctl.set('net.bridge.bridge-nf-call-ip6tables', '0');
  assert.doesNotMatch(problems(), /bridge-nf/);
  sysctl.set('net.ipv4.conf.all.arp_ignore', '8'); // stricter than asked for
  assert.equal(applySettings(sysctl, [], true).writes, 1);
});

import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseIp } from '#ip';
import { linuxKernel } from './kernel.ts';

const MODPROBE = '/proc/sys/kernel/modprobe';

test('LinkNames: to ask for a link that is not there loads no module', {
  skip: process.env['PODWAY_TEST_VM'] === undefined && 'the setting it looks through is the whole machine’s',
}, () => {
  const kept = readFileSync(MODPROBE, 'utf8');
  const directory = mkdtempSync(join(tmpdir(), 'podway-modprobe-'));
  const [script, asked] = [join(directory, 'modprobe'), join(directory, 'asked')];
  writeFileSync(script, `#!/bin/sh\necho "$@" >>${asked}\n`);
  chmodSync(script, 0o755);
  writeFileSync(MODPROBE, script);
  try {
    using netns = linuxKernel().currentNetns();
    const links = () => [netns.links.get('nobody'), netns.addresses.list({ link: 'nobody' })];
    assert.deepEqual(links(), [undefined, []]);
    assert.equal(existsSync(asked), false, asked);
    // That would have been seen, as this is: a scheduler that the virtual machine's kernel does not have.
    const address = parseIp('192.0.2.1');
    const service = {
      address,
      port: 1,
      protocol: 'TCP',
      scheduler: 'twos',
      persistentSeconds: undefined,
    } as const;
    assert.throws(() => netns.ipvs.addService(service));
    assert.match(readFileSync(asked, 'utf8'), /ip_vs_twos/);
  } finally {
    writeFileSync(MODPROBE, kept);
    rmSync(directory, { recursive: true });
  }
});

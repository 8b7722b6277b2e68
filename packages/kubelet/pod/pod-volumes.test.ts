import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { CONFIG_MAPS, type Pod } from '#kube-api';
import { FakeKubeClient } from '#kube-client';
import { eventually, FakeClock, silentLogger } from '#runtime';
import { PodConfigError } from '../plan/errors.ts';
import { PodVolumes } from './pod-volumes.ts';

const NAME = { namespace: 'default', name: 'settings' };
const DOWNWARD = { podIps: [], hostIps: [], nodeName: 'node1', allocatable: { cpu: 1, memory: 1 } };
const POD: Pod = {
  metadata: { namespace: 'default', name: 'web' },
  spec: { containers: [], volumes: [{ name: 'settings', configMap: { name: 'settings' } }] },
};

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'podway-volumes-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

function given() {
  const client = new FakeKubeClient();
  const clock = new FakeClock();
  const volumes = new PodVolumes({ pod: () => POD, dir, client, clock, logger: silentLogger });
  const colour = () => readFileSync(join(dir, 'settings/colour'), 'utf8');
  const paint = (value: string) => client.patch(CONFIG_MAPS, NAME, 'merge', { data: { colour: value } });
  return { client, clock, volumes, colour, paint };
}

test('PodVolumes: what is missing is said, and mounted once it is there', async () => {
  const { client, volumes, colour } = given();
  await assert.rejects(volumes.mount(DOWNWARD), PodConfigError);
  assert.equal(existsSync(join(dir, 'settings')), false);
  await client.create(CONFIG_MAPS, { metadata: NAME, data: { colour: 'blue' } });
  const paths = await volumes.mount(DOWNWARD);
  assert.equal(paths.get('settings'), join(dir, 'settings'));
  assert.equal(colour(), 'blue');
});

test('PodVolumes: follows the API, keeps what it has while that is away, and stops when told', async () => {
  const { client, clock, volumes, colour, paint } = given();
  await client.create(CONFIG_MAPS, { metadata: NAME, data: { colour: 'blue' } });
  await volumes.mount(DOWNWARD);
  await paint('red');
  clock.advance(20_000);
  await eventually('red', () => colour() === 'red');
  client.setAway(true);
  await volumes.refresh(DOWNWARD);
  assert.equal(colour(), 'red');
  client.setAway(false);
  await paint('green');
  clock.advance(20_000);
  await eventually('green', () => colour() === 'green');
  volumes.stopFollowing();
  await paint('white');
  clock.advance(60_000);
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  assert.equal(colour(), 'green');
});

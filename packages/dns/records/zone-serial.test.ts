import assert from 'node:assert/strict';
import test from 'node:test';
import { FakeClock } from '#runtime';
import { Epochs } from './epochs.ts';
import { ZoneSerial } from './zone-serial.ts';

test('ZoneSerial: stands still between changes, grows with each that is seen, and over a restart', () => {
  const clock = new FakeClock();
  clock.advance(1_700_000_000_000 - clock.now());
  const epochs = new Epochs();
  const serial = new ZoneSerial(epochs, clock);
  assert.equal(serial.current, 1_700_000_000);
  clock.advance(60_000);
  assert.equal(serial.current, 1_700_000_000);
  epochs.bump('service:default/web');
  epochs.bump('service:default/web');
  assert.equal(serial.current, 1_700_000_060);
  epochs.bump('service:default/web');
  assert.equal(serial.current, 1_700_000_061);
  clock.advance(5_000);
  assert.equal(new ZoneSerial(new Epochs(), clock).current, 1_700_000_065);
});

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { CniConfigError, loadNetworkConfig, parseNetworkConfig } from './conflist.ts';

test('loadNetworkConfig: the first valid file by name', () => {
  const dir = mkdtempSync(join(tmpdir(), 'kubelet-cni-'));
  try {
    assert.throws(() => loadNetworkConfig(dir), /no network config found/);
    writeFileSync(join(dir, '00-broken.conflist'), '{');
    assert.throws(() => loadNetworkConfig(dir), /00-broken\.conflist/);
    writeFileSync(join(dir, '20-b.conf'), JSON.stringify({ name: 'b', type: 'x', cniVersion: '0.4.0' }));
    writeFileSync(join(dir, '10-a.conflist'), JSON.stringify({ name: 'a', plugins: [{ type: 'y' }] }));
    writeFileSync(join(dir, '05-other.txt'), JSON.stringify({ name: 'c', plugins: [{ type: 'y' }] }));
    assert.equal(loadNetworkConfig(dir).name, 'a');
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('parseNetworkConfig: a single configuration is a list of one', () => {
  const config = parseNetworkConfig('{"name":"n","type":"bridge","cniVersion":"1.0.0"}', false);
  assert.deepEqual(
    config.plugins.map(({ type }) => type),
    ['bridge'],
  );
});

test('parseNetworkConfig: refuses a plugin type that is a path', () => {
  for (const type of ['../sh', '/bin/sh', '..', '', 7])
    assert.throws(
      () => parseNetworkConfig(JSON.stringify({ name: 'n', plugins: [{ type }] }), true),
      CniConfigError,
    );
});

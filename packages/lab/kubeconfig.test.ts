import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadKubeconfig } from '#kube-client';
import { nodeKubeconfigPath, prepareCredentials } from './credentials.ts';
import { DEFAULT_LAB_OPTIONS } from './options.ts';
import { labPaths } from './paths.ts';

test('prepareCredentials: kubeconfigs for user and nodes; kept, but for the port, when made again', async () => {
  const labs = mkdtempSync(join(tmpdir(), 'podway-lab-'));
  try {
    const paths = labPaths(labs, '.');
    const record = { name: 'x', options: { ...DEFAULT_LAB_OPTIONS, nodes: 2 }, port: 4000 };
    await prepareCredentials(paths, record);
    const first = await loadKubeconfig({ paths: [paths.kubeconfig] });
    assert.equal(first.server, 'https://127.0.0.1:4000');
    assert.equal(statSync(paths.kubeconfig).mode & 0o777, 0o600);
    const node = await loadKubeconfig({ paths: [nodeKubeconfigPath(paths, 'node2')] });
    assert.equal(node.server, 'https://172.30.0.1:6443');
    assert.equal(node.certificateAuthority, first.certificateAuthority);
    const nodeText = readFileSync(nodeKubeconfigPath(paths, 'node2'), 'utf8');
    await prepareCredentials(paths, { ...record, port: 5000 });
    const second = await loadKubeconfig({ paths: [paths.kubeconfig] });
    assert.deepEqual(second, { ...first, server: 'https://127.0.0.1:5000' });
    assert.equal(readFileSync(nodeKubeconfigPath(paths, 'node2'), 'utf8'), nodeText);
  } finally {
    rmSync(labs, { recursive: true, force: true });
  }
});

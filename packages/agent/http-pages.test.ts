import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { parseIp } from '#ip';
import { createLogger, type LogRecord } from '#runtime';
import { servePages } from './http-pages.ts';

const loopback = parseIp('127.0.0.1');

/** A port that was free a moment ago, and its server while it is held. */
async function holdPort() {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, loopback, resolve));
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const release = () => new Promise<void>((resolve) => server.close(() => resolve()));
  return { port: address.port, release };
}

test('servePages: pages by path, 404 names those there are; a taken port is logged and done without', async () => {
  const records: LogRecord[] = [];
  const logger = createLogger((record) => records.push(record));
  const pages = { '/healthz': () => ({ status: 503, body: 'not yet\n' }) };
  const { port, release } = await holdPort();
  await using _nothing = await servePages({ address: loopback, port }, pages, logger);
  assert.deepEqual(
    records.map(({ level, message }) => `${level} ${message}`),
    ['warn cannot serve'],
  );
  await release();
  await using _pages = await servePages({ address: loopback, port }, pages, logger);
  const health = await fetch(`http://127.0.0.1:${port}/healthz?x`);
  assert.deepEqual([health.status, await health.text()], [503, 'not yet\n']);
  const unknown = await fetch(`http://127.0.0.1:${port}/x`);
  assert.deepEqual([unknown.status, await unknown.text()], [404, 'not found; there are /healthz\n']);
});

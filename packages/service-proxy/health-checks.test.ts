import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, test } from 'node:test';
import { createLogger, freePort, type LogRecord, silentLogger } from '#runtime';
import { HealthCheckServers } from './health-checks.ts';

async function ask(port: number): Promise<string> {
  for (;;) {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/`);
      return `${response.status} ${response.headers.get('x-load-balancing-endpoint-weight')} ${await response.text()}`;
    } catch (error) {
      // Not listening yet.
      if (!(error instanceof TypeError)) throw error;
      await new Promise(setImmediate);
    }
  }
}

describe('HealthCheckServers', () => {
  test('answers with the number of local endpoints, and follows it', async () => {
    let healthy = true;
    await using servers = new HealthCheckServers(silentLogger, () => healthy);
    const port = await freePort();
    servers.set('default/web', { port, localEndpoints: 2 });
    assert.equal(
      await ask(port),
      '200 2 {"service":{"namespace":"default","name":"web"},"localEndpoints":2,"serviceProxyHealthy":true}',
    );
    servers.set('default/web', { port, localEndpoints: 0 });
    assert.match(await ask(port), /^503 0 /);
    servers.set('default/web', { port, localEndpoints: 1 });
    healthy = false;
    assert.match(await ask(port), /^503 1 .*"serviceProxyHealthy":false/);
  });

  test('a port that is given up is closed', async () => {
    await using servers = new HealthCheckServers(silentLogger);
    const port = await freePort();
    servers.set('default/web', { port, localEndpoints: 1 });
    await ask(port);
    servers.set('default/web', undefined);
    await assert.rejects(fetch(`http://127.0.0.1:${port}/`));
  });

  test('a port that someone else has is said and does no harm', async () => {
    const other = createServer().listen(0);
    await once(other, 'listening');
    const records: LogRecord[] = [];
    const said = Promise.withResolvers<void>();
    const logger = createLogger((record) => {
      records.push(record);
      said.resolve();
    });
    await using servers = new HealthCheckServers(logger);
    servers.set('default/web', { port: (other.address() as AddressInfo).port, localEndpoints: 1 });
    await said.promise;
    assert.equal(records[0]?.fields['service'], 'default/web');
    other.close();
  });
});

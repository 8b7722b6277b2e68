import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { testAdmin, testTls } from '../testing/pki.ts';
import { temporaryDirectory } from '../testing/registry.ts';
import { startTestServer } from '../testing/server.ts';

test('HttpHandler: logs and upgrades go to the kubelet, byte for byte', async () => {
  using directory = temporaryDirectory();
  const kubeletSocket = join(directory.path, 'kubelet.sock');
  const kubelet = createServer((request, response) => response.end(`asked ${request.url}`));
  kubelet.on('upgrade', (request, socket) => {
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Path: ${request.url}\r\n\r\n`,
    );
    socket.on('data', (data: Buffer) => socket.end(`echo ${data}`));
  });
  await new Promise<void>((resolve) => kubelet.listen(kubeletSocket, resolve));
  await using other = await startTestServer({ kubeletSocket });
  const pods = '/api/v1/namespaces/default/pods';
  await other.call('POST', pods, {
    body: { metadata: { name: 'p' }, spec: { nodeName: 'n1', containers: [{ name: 'c', image: 'x' }] } },
  });
  assert.equal(
    (await other.call('GET', `${pods}/p/log?follow=true&container=c`)).text,
    'asked /containerLogs/default/p/c?follow=true',
  );
  assert.equal(
    (await other.call('GET', `${pods}/p/log?container=no`)).json.message,
    'container no is not valid for pod p',
  );
  const answer = await new Promise<string>((resolve, reject) => {
    let text = '';
    const socket = connect(
      {
        host: '127.0.0.1',
        port: other.port,
        ca: testTls.clientAuthority,
        cert: testAdmin.certificate,
        key: testAdmin.key,
      },
      () =>
        socket.write(
          `POST ${pods}/p/exec?command=ls&command=-l&stdin=true&stdout=true HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n`,
        ),
    );
    let sent = false;
    socket.on('data', (data: Buffer) => {
      text += data.toString();
      if (sent || !text.includes('\r\n\r\n')) return;
      sent = true;
      socket.write('ping');
    });
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
  });
  assert.match(answer, /^HTTP\/1\.1 101 /);
  assert.match(answer, /X-Path: \/exec\/default\/p\/c\?input=1&output=1&command=ls&command=-l\r\n/);
  assert.match(answer, /echo ping$/);
  kubelet.close();
  kubelet.closeAllConnections();
});

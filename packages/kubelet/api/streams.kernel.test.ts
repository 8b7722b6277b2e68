import assert from 'node:assert/strict';
import { request } from 'node:http';
import test, { after, before } from 'node:test';
import { createWebSocketStream, WebSocket } from 'ws';
import { sleep, systemClock } from '#runtime';
import { SpdyDecoder, SpdyEncoder } from '../spdy/codec.ts';
import { connectSpdy } from '../testing/spdy-client.ts';
import { isReady, startTestNode, type TestNode } from '../testing/test-node.ts';
import { startKubeletApi } from './server.ts';

const SOCKET = '/run/podway/kubelet.sock';
let node: TestNode;
let api: AsyncDisposable;

const script =
  'echo one; echo two >&2; while read line; do echo "got $line"; done; echo three; exec sleep 1000';

before(async () => {
  node = await startTestNode();
  api = await startKubeletApi({ socketPath: SOCKET, kubelets: [node.kubelet] });
  await node.createPod('web', {
    containers: [
      { name: 'main', image: 'sh', command: ['sh', '-c', script], stdin: true, stdinOnce: true },
      {
        name: 'http',
        image: 'gcr.io/google-samples/hello-app:2.0',
        readinessProbe: { httpGet: { port: 8080 } },
      },
    ],
  });
  await node.waitFor('web', isReady);
});

after(async () => {
  await api[Symbol.asyncDispose]();
  await node[Symbol.asyncDispose]();
});

function get(path: string): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath: SOCKET, path }, (response) => {
      let body = '';
      response.on('data', (chunk) => {
        body += String(chunk);
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

const execPath = (argv: readonly string[], options = 'output=1&error=1', container = 'main') =>
  `/exec/default/web/${container}?${options}&${argv.map((word) => `command=${encodeURIComponent(word)}`).join('&')}`;

test('exec over SPDY: output on its streams, the exit code in the status', async () => {
  const client = await connectSpdy(
    SOCKET,
    execPath(['sh', '-c', 'echo out; echo err >&2; exit 3']),
    'v4.channel.k8s.io',
  );
  const [error = 0, stdout = 0, stderr = 0] = ['error', 'stdout', 'stderr'].map((streamtype) =>
    client.open({ streamtype }),
  );
  assert.equal(await client.ended(stdout), 'out\n');
  assert.equal(await client.ended(stderr), 'err\n');
  const status = JSON.parse(await client.ended(error)) as { reason: string; details: unknown };
  assert.equal(status.reason, 'NonZeroExitCode');
  assert.deepEqual(status.details, { causes: [{ reason: 'ExitCode', message: '3' }] });
});

test('exec over SPDY: the input’s half close reaches the command', async () => {
  const client = await connectSpdy(SOCKET, execPath(['wc', '-c'], 'input=1&output=1'), 'v4.channel.k8s.io');
  const [error = 0, stdin = 0, stdout = 0] = ['error', 'stdin', 'stdout'].map((streamtype) =>
    client.open({ streamtype }),
  );
  client.send(stdin, 'x'.repeat(100_000));
  client.send(stdin, 'end', true);
  assert.equal((await client.ended(stdout)).trim(), '100003');
  assert.equal((JSON.parse(await client.ended(error)) as { status: string }).status, 'Success');
});

test('exec over SPDY: an older protocol alone is refused', async () => {
  await assert.rejects(connectSpdy(SOCKET, execPath(['true']), 'channel.k8s.io'), /HTTP 403/);
});

/** Runs a command over a WebSocket and resolves to what came on each channel. */
function webSocketExec(
  path: string,
  protocol: string,
  onOpen: (socket: WebSocket) => void = () => {},
): Promise<readonly [stdout: string, stderr: string, status: string]> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws+unix:${SOCKET}:${path}`, [protocol]);
    const channels = ['', '', '', ''];
    socket.on('open', () => onOpen(socket));
    socket.on('message', (message: Buffer) => {
      const channel = message[0] ?? 0;
      channels[channel] += message.subarray(1).toString();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve([channels[1] ?? '', channels[2] ?? '', channels[3] ?? '']));
  });
}

test('exec over WebSocket v5: streams, half close and exit code', async () => {
  const [stdout, stderr, status] = await webSocketExec(
    execPath(['sh', '-c', 'cat; echo err >&2; exit 4'], 'input=1&output=1&error=1'),
    'v5.channel.k8s.io',
    (socket) => {
      socket.send(Buffer.concat([Buffer.from([0]), Buffer.from('hello')]));
      socket.send(Buffer.from([255, 0]));
    },
  );
  assert.equal(stdout, 'hello');
  assert.equal(stderr, 'err\n');
  assert.match(status, /"reason":"ExitCode","message":"4"/);
});

test('exec: a program that is not there is the runtime’s error, one that cannot be run is 126', async () => {
  const unknown = await webSocketExec(execPath(['no-such-program'], 'output=1&error=1'), 'v5.channel.k8s.io');
  const { reason, message } = JSON.parse(unknown[2]) as { reason: string; message: string };
  assert.equal(reason, 'InternalError');
  assert.match(
    message,
    /^Internal error occurred: error executing command in container: .*exec: "no-such-program": executable file not found in \$PATH/,
  );
  assert.equal(unknown[1], '');
  const [, stderr, status] = await webSocketExec(
    execPath(['/etc/passwd'], 'output=1&error=1'),
    'v5.channel.k8s.io',
  );
  assert.match(stderr, /Permission denied/);
  assert.match(status, /exit status 126/);
});

test('exec: a client that does not read holds up the command, not the kubelet’s memory', async () => {
  const path = execPath(['sh', '-c', 'head -c 67108864 /dev/zero'], 'output=1');
  const socket = new WebSocket(`ws+unix:${SOCKET}:${path}`, ['v5.channel.k8s.io']);
  await new Promise((resolve) => socket.once('open', resolve));
  const before = process.memoryUsage().rss;
  socket.pause();
  await sleep(systemClock, 500);
  // Server and client are one process here: what either held of the 64 MiB would show.
  assert.ok(process.memoryUsage().rss - before < 32 * 2 ** 20);
  let received = 0;
  socket.on('message', (message: Buffer) => {
    if (message[0] === 1) received += message.length - 1;
  });
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.resume();
  await closed;
  assert.equal(received, 67_108_864);
});

test('exec with a terminal: it is the controlling one, sized by the client, and jobs work', async () => {
  const [stdout] = await webSocketExec(
    execPath(
      [
        'sh',
        '-c',
        'until [ "$(stty size)" = "33 99" ]; do sleep 0.05; done; tty; set -m; true & wait; ps -o tpgid= -p $$',
      ],
      'input=1&output=1&tty=1',
    ),
    'v4.channel.k8s.io',
    (socket) => socket.send(Buffer.concat([Buffer.from([4]), Buffer.from('{"Width":99,"Height":33}')])),
  );
  assert.match(stdout, /^\/dev\/pts\/\d+\r\n/);
  assert.doesNotMatch(stdout, /Cannot set tty process group|job control/);
});

test('attach: input and output of the container’s own process; the log has it too', async () => {
  const output = await new Promise<string>((resolve, reject) => {
    const socket = new WebSocket(`ws+unix:${SOCKET}:/attach/default/web/main?input=1&output=1`, [
      'v5.channel.k8s.io',
    ]);
    let text = '';
    socket.on('open', () => socket.send(Buffer.concat([Buffer.from([0]), Buffer.from('line\n')])));
    socket.on('message', (message: Buffer) => {
      if (message[0] === 1) text += message.subarray(1).toString();
      if (text.includes('got line')) socket.send(Buffer.from([255, 0]));
      if (text.includes('three')) socket.close();
    });
    socket.on('close', () => resolve(text));
    socket.on('error', reject);
  });
  assert.equal(output, 'got line\nthree\n');
  assert.equal((await get('/containerLogs/default/web/main?tailLines=2')).body, 'got line\nthree\n');
});

test('containerLogs: timestamps, tail, limit, and what is not there', async () => {
  assert.match(
    (await get('/containerLogs/default/web/main?timestamps=true&limitBytes=35')).body,
    /^\d{4}-\d\d-\d\dT[\d:.]+Z one\n$/,
  );
  assert.equal((await get('/containerLogs/default/web/main?tailLines=0')).body, '');
  assert.equal((await get('/containerLogs/default/web/main?previous=true')).status, 400);
  assert.equal((await get('/containerLogs/default/web/none')).status, 404);
  assert.equal((await get('/containerLogs/default/none/main')).status, 404);
  assert.equal((await get('/nothing/here/at/all')).status, 404);
});

const REQUEST = 'GET / HTTP/1.0\r\n\r\n';

test('portForward over SPDY: each pair of streams is a connection to the Pod’s localhost', async () => {
  const client = await connectSpdy(SOCKET, '/portForward/default/web', 'portforward.k8s.io');
  for (const requestid of ['0', '1']) {
    const error = client.open({ streamtype: 'error', port: '8080', requestid });
    const data = client.open({ streamtype: 'data', port: '8080', requestid });
    client.send(data, REQUEST);
    assert.match(await client.ended(data), /Hello, world!\nVersion: 2\.0\.0\nHostname: web\n/);
    assert.equal(await client.ended(error), '');
  }
  const error = client.open({ streamtype: 'error', port: '81', requestid: '2' });
  client.open({ streamtype: 'data', port: '81', requestid: '2' });
  assert.match(
    await client.ended(error),
    /error forwarding port 81 to pod default\/web: cannot connect to 127\.0\.0\.1 port 81: ECONNREFUSED/,
  );
  client.close();
});

test('portForward over a WebSocket tunnel: the same SPDY inside', async () => {
  // The name is none that `ws` takes, so it is asked for and taken out of the answer by hand.
  const name = 'SPDY/3.1+portforward.k8s.io';
  const socket = new WebSocket(`ws+unix:${SOCKET}:/portForward/default/web`, {
    headers: { 'Sec-WebSocket-Protocol': name },
  });
  let answered: string | undefined;
  socket.on('upgrade', ({ headers }) => {
    answered = headers['sec-websocket-protocol'];
    delete headers['sec-websocket-protocol'];
  });
  const tunnel = createWebSocketStream(socket);
  const encoder = new SpdyEncoder();
  const decoder = new SpdyDecoder();
  const answer = new Promise<string>((resolve) => {
    let text = '';
    tunnel.on('data', (chunk: Buffer) => {
      for (const frame of decoder.push(chunk)) {
        if (frame.type !== 'data' || frame.stream !== 3) continue;
        text += Buffer.from(frame.data).toString();
        if (frame.fin) resolve(text);
      }
    });
  });
  for (const [stream, streamtype] of [
    [1, 'error'],
    [3, 'data'],
  ] as const) {
    const headers = new Map(Object.entries({ streamtype, port: '8080', requestid: '0' }));
    tunnel.write(encoder.encode({ type: 'syn-stream', stream, headers, fin: false }));
  }
  tunnel.write(encoder.encode({ type: 'data', stream: 3, data: Buffer.from(REQUEST), fin: false }));
  assert.match(await answer, /Hello, world!/);
  assert.equal(answered, name);
  socket.terminate();
});

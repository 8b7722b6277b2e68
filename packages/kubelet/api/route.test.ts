import assert from 'node:assert/strict';
import test from 'node:test';
import { logOptions, parseRoute, streamRequest } from './route.ts';

test('parseRoute: a kubelet’s paths, with and without the Pod’s uid', () => {
  for (const [url, kind, container] of [
    ['/exec/default/web/main?command=ls', 'exec', 'main'],
    ['/exec/default/web/uid-1/main?command=ls', 'exec', 'main'],
    ['/attach/default/web/main', 'attach', 'main'],
    ['/containerLogs/default/web/main?follow=true', 'containerLogs', 'main'],
  ] as const) {
    const route = parseRoute(url);
    assert.ok(route !== undefined && 'container' in route, url);
    assert.deepEqual(
      [route.kind, route.namespace, route.pod, route.container],
      [kind, 'default', 'web', container],
    );
  }
  assert.equal(parseRoute('/portForward/default/web')?.kind, 'portForward');
  assert.equal(parseRoute('/healthz')?.kind, 'healthz');
});

test('parseRoute: nothing else', () => {
  for (const url of ['/', '/exec/default', '/exec/default/web', '/containerLogs/a/b/c/d/e', '/pods/a/b'])
    assert.equal(parseRoute(url), undefined, url);
});

test('streamRequest: a terminal has one output', () => {
  const request = streamRequest(new URLSearchParams('input=1&output=1&error=1&tty=1'));
  assert.deepEqual(request, { stdin: true, stdout: true, stderr: false, tty: true });
});

test('logOptions: since by seconds and by time', () => {
  const of = (query: string) => logOptions(new URLSearchParams(query), 1_000_000);
  assert.equal(of('sinceSeconds=10').since, 990_000);
  assert.equal(of('sinceTime=1970-01-01T00:00:05Z').since, 5000);
  assert.equal(of('tailLines=-1').tailLines, undefined);
  assert.deepEqual(of('follow=true&timestamps=true&tailLines=3&limitBytes=9'), {
    follow: true,
    timestamps: true,
    tailLines: 3,
    limitBytes: 9,
    since: undefined,
  });
});

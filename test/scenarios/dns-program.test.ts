import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { freePort } from '#runtime';
import { type Account, createAccount } from './support/account.ts';
import { startLab } from './support/lab.ts';
import { PODWAY } from './support/program.ts';
import { retry } from './support/retry.ts';
import { output } from './support/run.ts';

/** `podway dns` in a process of its own, on free ports of the loopback. */
class DnsProgram implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #ports: { readonly dns: number; readonly pages: number };

  private constructor(child: ChildProcess, ports: { readonly dns: number; readonly pages: number }) {
    this.#child = child;
    this.#ports = ports;
  }

  static async start(account: Account, kubeconfig: string): Promise<DnsProgram> {
    const ports = { dns: await freePort(), pages: await freePort() };
    const [command = '', ...args] = account.command([
      ...[PODWAY, 'dns', '--kubeconfig', kubeconfig, '--ttl', '7', '--listen', `127.0.0.1:${ports.dns}`],
      ...['--metrics-address', `127.0.0.1:${ports.pages}`],
    ]);
    return new DnsProgram(spawn(command, args, { env: account.env, stdio: 'ignore' }), ports);
  }

  async page(path: string): Promise<{ readonly status: number; readonly text: string }> {
    const response = await fetch(`http://127.0.0.1:${this.#ports.pages}${path}`);
    return { status: response.status, text: await response.text() };
  }

  dig(...args: readonly string[]): Promise<string> {
    return output(['dig', '@127.0.0.1', '-p', `${this.#ports.dns}`, '+tries=1', '+time=20', ...args]);
  }

  /** The exit status after SIGTERM. */
  async end(): Promise<number | null> {
    const ended = once(this.#child, 'exit') as Promise<[number | null]>;
    this.#child.kill('SIGTERM');
    return (await ended)[0];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.end();
  }
}

suite('podway dns: the server alone', () => {
  test('answers what the API server has, tells its state and numbers, ends on SIGTERM', async () => {
    await using lab = await startLab({ nodes: 1 });
    await using dns = await DnsProgram.start(lab.account, lab.up.kubeconfig);
    await retry(async () => assert.deepEqual(await dns.page('/ready'), { status: 200, text: 'OK\n' }));
    assert.equal((await dns.page('/health')).status, 200);
    const name = 'kubernetes.default.svc.cluster.local';
    assert.match(await dns.dig(name), /status: NOERROR[\s\S]*\s7\s+IN\s+A\s+10\.96\.0\.1/);
    assert.match(await dns.dig('+tcp', 'none.default.svc.cluster.local'), /status: NXDOMAIN/);
    const { text } = await dns.page('/metrics');
    assert.match(text, /^coredns_dns_requests_total\{[^}]*proto="tcp"[^}]*type="A"\} 1$/m);
    assert.match(text, /^podway_dns_ready 1$/m);
    assert.equal(await dns.end(), 0);
  });

  test('without its API server: alive, not ready, and SERVFAIL for the cluster’s names after 2 s', async () => {
    using account = createAccount(process.getuid?.() === 0 ? 'root' : 'ordinary');
    const kubeconfig = join(account.home, 'kubeconfig');
    const cluster = { name: 'c', cluster: { server: `http://127.0.0.1:${await freePort()}` } };
    writeFileSync(
      kubeconfig,
      JSON.stringify({
        clusters: [cluster],
        contexts: [{ name: 'c', context: { cluster: 'c' } }],
        'current-context': 'c',
      }),
    );
    await using dns = await DnsProgram.start(account, kubeconfig);
    await retry(async () => assert.equal((await dns.page('/health')).status, 200));
    assert.equal((await dns.page('/ready')).status, 503);
    assert.match(await dns.dig('kubernetes.default.svc.cluster.local'), /status: SERVFAIL/);
    assert.match(await dns.dig('example.com'), /status: NXDOMAIN/);
  });
});

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { type Account, accountKinds, createAccount, whyNotForOthers } from './support/account.ts';
import { TestLab } from './support/lab.ts';
import { AGENT, killProcess } from './support/lab-processes.ts';
import { PODWAY } from './support/program.ts';
import { retry } from './support/retry.ts';
import { output, run } from './support/run.ts';

/** What a lab could leave behind outside its directory. */
interface Traces {
  readonly processes: readonly string[];
  readonly mounts: string;
  readonly namespaces: readonly string[];
  readonly links: readonly string[];
  readonly cgroups: readonly string[];
}

/** Processes of one account's labs are known by its home: it is in their environment. */
function processesOf(account: Account): readonly string[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((pid) => {
      try {
        const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return environment.includes(`HOME=${account.home}\0`) || command.includes(account.home)
          ? [`${pid} ${command}`]
          : [];
      } catch {
        return [];
      }
    });
}

/** @param names of the labs that the account may have had */
function traces(account: Account, names: readonly string[] = ['default']): Traces {
  return {
    processes: processesOf(account),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8'),
    namespaces: existsSync('/run/netns') ? readdirSync('/run/netns').sort() : [],
    links: readdirSync('/sys/class/net').sort(),
    cgroups: cgroupDirectories(account, names),
  };
}

/** Control groups of the account's labs: their names carry a digest of the lab's directory. */
function cgroupDirectories(account: Account, names: readonly string[]): readonly string[] {
  const labs = join(account.home, 'state/podway/labs');
  const digests = names.map((name) =>
    createHash('sha256').update(join(labs, name)).digest('hex').slice(0, 8),
  );
  return directoriesBelow('/sys/fs/cgroup').filter((path) =>
    digests.some((digest) => path.includes(`/podway-`) && path.endsWith(digest)),
  );
}

/** Other labs come and go meanwhile: what has gone has no directories. */
function directoriesBelow(path: string): readonly string[] {
  try {
    const directories = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return directories.flatMap(({ name }) => [join(path, name), ...directoriesBelow(join(path, name))]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function labsOf(account: Account): readonly string[] {
  const labs = join(account.home, 'state/podway/labs');
  return existsSync(labs) ? readdirSync(labs) : [];
}

/** Nothing of the account's labs is left; the machine's own mounts, namespaces and links are as before. */
async function assertNothingLeft(account: Account, before: Traces, names?: readonly string[]): Promise<void> {
  await retry(() => assert.deepEqual(traces(account, names), before));
  assert.deepEqual(labsOf(account), []);
}

function podway(account: Account, ...args: readonly string[]) {
  return account.command([PODWAY, ...args]);
}

/** What node does first with `--require`: an agent gets nowhere, so that no lab is ready before the test has ended its boot. */
const HANGING_AGENT = `if (process.argv[2] === 'agent') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);`;

/** `lab up` in a session of its own, as from a terminal; resolves in the middle of the boot, which goes no further. */
async function beginBoot(account: Account) {
  const hook = join(account.home, 'hanging-agent.cjs');
  writeFileSync(hook, HANGING_AGENT);
  const [program = '', ...words] = podway(account, 'lab', 'up');
  const env = { ...account.env, NODE_OPTIONS: `--require=${hook}` };
  const child = spawn(program, words, { env, stdio: 'ignore', detached: true });
  const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  await retry(() => {
    const agents = processesOf(account).filter((line) => line.includes('/podway.js agent '));
    assert.ok(agents.length > 0, 'no agent runs yet');
  });
  return { signal: (name: NodeJS.Signals) => process.kill(-(child.pid ?? 0), name), ended };
}

for (const kind of accountKinds()) {
  const reason = kind === 'ordinary' ? whyNotForOthers() : undefined;
  const scenario = (name: string, body: (account: Account, before: Traces) => Promise<void>) =>
    test(`${name}, as ${kind}`, reason === undefined ? {} : { skip: reason }, async () => {
      using account = createAccount(kind);
      const before = traces(account);
      try {
        await body(account, before);
      } finally {
        await run(podway(account, 'lab', 'down', '--all'), { env: account.env });
      }
    });

  scenario(
    'lab up, status and down: a lab comes, is seen, and goes without a trace',
    async (account, before) => {
      const { env } = account;
      const up = JSON.parse(
        await output(podway(account, 'lab', 'up', '--nodes', '2', '-o', 'json'), { env }),
      );
      assert.deepEqual(
        up.nodes.map((node: { name: string; ip: string }) => [node.name, node.ip]),
        [
          ['node1', '172.30.0.11'],
          ['node2', '172.30.0.12'],
        ],
      );
      assert.equal(statSync(up.kubeconfig).mode & 0o777, 0o600);
      assert.ok(up.bootMilliseconds > 0 && up.dnsMilliseconds >= up.bootMilliseconds);
      const status = JSON.parse(await output(podway(account, 'lab', 'status', '-o', 'json'), { env }));
      assert.equal(status.state, 'running');
      assert.deepEqual(
        status.nodeStatus.map((node: { ready: boolean; agent: { state: string } }) => [
          node.ready,
          node.agent.state,
        ]),
        [
          [true, 'running'],
          [true, 'running'],
        ],
      );
      const again = await run(podway(account, 'lab', 'up'), { env });
      assert.equal(again.code, 0, again.stderr);
      assert.match(again.stdout, /lab default is up already/);
      await output(podway(account, 'lab', 'down'), { env });
      await assertNothingLeft(account, before);
    },
  );

  scenario('lab up: Ctrl-C before the lab is ready leaves nothing', async (account, before) => {
    const up = await beginBoot(account);
    up.signal('SIGINT');
    assert.deepEqual(await up.ended, [130, null]);
    await assertNothingLeft(account, before);
  });

  scenario('lab up: a killed terminal before the lab is ready leaves nothing', async (account, before) => {
    const up = await beginBoot(account);
    up.signal('SIGKILL');
    await up.ended;
    await assertNothingLeft(account, before);
  });

  scenario('lab up: a boot that fails says why, soon, and leaves nothing', async (account, before) => {
    const { env } = account;
    const unread = await run(podway(account, 'lab', 'up', '--images', '/nonexistent/images'), { env });
    assert.equal(unread.code, 2);
    assert.match(unread.stderr, /--images: invalid value "\/nonexistent\/images": cannot be read/);
    await assertNothingLeft(account, before);
    const outcome = await run(podway(account, 'lab', 'up', '--nodes', '1', '--proxy', 'ipvs'), { env });
    // Where it comes up, there is ip_vs.
    if (outcome.code !== 0) {
      assert.equal(outcome.code, 1);
      // It was asked for, with what there is instead, before any agent was started with it.
      assert.match(
        outcome.stderr,
        /^podway: this machine cannot carry Services by ipvs; nothing was changed. It has:\nnftables +(yes|no)\n(.*\n)*ipvs +no\n +missing: IPVS/m,
      );
      await assertNothingLeft(account, before);
    }
  });

  scenario('lab down: works when every process of the lab was killed', async (account, before) => {
    await output(podway(account, 'lab', 'up', '--nodes', '1'), { env: account.env });
    for (const line of processesOf(account)) kill(Number(line.split(' ')[0]));
    await retry(() => assert.deepEqual(processesOf(account), []));
    const list = JSON.parse(await output(podway(account, 'lab', 'list', '-o', 'json'), { env: account.env }));
    assert.equal(list[0].state, 'stopped');
    await output(podway(account, 'lab', 'down'), { env: account.env });
    await assertNothingLeft(account, before);
  });

  scenario(
    'lab up: a lab whose processes were killed comes back with its objects and port',
    async (account, before) => {
      const { env } = account;
      const first = JSON.parse(
        await output(podway(account, 'lab', 'up', '--nodes', '2', '-o', 'json'), { env }),
      );
      const kubectl = (...args: readonly string[]) =>
        output(account.command(['kubectl', '--kubeconfig', first.kubeconfig, ...args]), { env });
      await kubectl('create', 'configmap', 'kept', '--from-literal=key=value');
      const server = await kubectl('config', 'view', '-o', 'jsonpath={.clusters[0].cluster.server}');
      for (const line of processesOf(account)) kill(Number(line.split(' ')[0]));
      await retry(() => assert.deepEqual(processesOf(account), []));
      // Fails where there is no ip_vs, and is forgotten then.
      await run(podway(account, 'lab', 'up', '--proxy', 'ipvs'), { env });
      const second = JSON.parse(await output(podway(account, 'lab', 'up', '-o', 'json'), { env }));
      assert.deepEqual(second.nodes, first.nodes);
      // Ready now, not as it was stored: a Pod can be attached, and has its answer.
      assert.equal(typeof second.dnsMilliseconds, 'number');
      assert.equal(await kubectl('get', 'configmap', 'kept', '-o', 'jsonpath={.data.key}'), 'value');
      assert.equal(await kubectl('config', 'view', '-o', 'jsonpath={.clusters[0].cluster.server}'), server);
      await output(podway(account, 'lab', 'down'), { env });
      await assertNothingLeft(account, before);
    },
  );
}

test('lab up: two labs live side by side, and one goes without the other', async () => {
  const [kind = 'ordinary'] = accountKinds();
  using account = createAccount(kind);
  const { env } = account;
  const names = ['a', 'b'];
  const before = traces(account, names);
  try {
    await Promise.all(
      names.map((name) => output(podway(account, 'lab', 'up', '--name', name, '--nodes', '1'), { env })),
    );
    await output(podway(account, 'lab', 'down', '--name', 'a'), { env });
    const addresses = await output(
      podway(account, 'lab', 'exec', '--name', 'b', 'node1', '--', 'ip', '-4', 'address'),
      {
        env,
      },
    );
    assert.match(addresses, /172\.30\.0\.11/);
    assert.deepEqual(labsOf(account), ['b']);
  } finally {
    await run(podway(account, 'lab', 'down', '--all'), { env });
  }
  await assertNothingLeft(account, before, names);
});

suite('a lab that runs', () => {
  const lab = TestLab.ofSuite({ nodes: 1 });
  const exec = (words: readonly string[], input?: string) =>
    run(podway(lab.account, 'lab', 'exec', '--name', lab.name, ...words), {
      env: lab.account.env,
      ...(input === undefined ? {} : { input }),
    });

  test('lab exec: exit codes, input and terminals pass through', async () => {
    assert.equal((await exec(['node1', '--', 'sh', '-c', 'exit 7'])).code, 7);
    assert.equal((await exec(['outside', '--', 'cat'], 'through')).stdout, 'through');
    const line = `${PODWAY} lab exec --name ${lab.name} node1 -- sh -c 'tty; exit 5'`;
    const terminal = await run(
      lab.account.command(['script', '--quiet', '--return', '--command', line, '/dev/null']),
      { env: lab.account.env },
    );
    assert.match(terminal.stdout, /\/dev\/pts\/\d+/);
    assert.equal(terminal.code, 5);
    const unknown = await exec(['no-such-pod', '--', 'true']);
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /there is no Pod no-such-pod in namespace default/);
  });

  test('lab: a killed agent is started again, a killed supervisor ends the lab', async () => {
    const { account, name } = lab;
    await killProcess(lab, AGENT);
    await retry(async () => {
      const status = JSON.parse(await lab.lab('status', '-o', 'json'));
      assert.partialDeepStrictEqual(status.nodeStatus[0].agent, {
        state: 'running',
        restarts: 1,
        lastExit: 'SIGKILL',
      });
    });
    const supervisor = processesOf(account).find((line) => line.includes('/podway.js lab-supervisor'));
    kill(Number(supervisor?.split(' ')[0]));
    await retry(() => assert.deepEqual(processesOf(account), []));
    await lab.lab('down');
    const { processes, cgroups } = traces(account, [name]);
    assert.deepEqual({ processes, cgroups, labs: labsOf(account) }, { processes: [], cgroups: [], labs: [] });
  });
});

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Ended with another one.
  }
}

import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { accountKinds, createAccount, whyNotForOthers } from './support/account.ts';
import { PODWAY } from './support/program.ts';
import { run } from './support/run.ts';

for (const kind of accountKinds()) {
  const reason = kind === 'ordinary' ? whyNotForOthers() : undefined;
  test(
    `podway demo: shows every step and leaves nothing, as ${kind}`,
    reason === undefined ? {} : { skip: reason },
    async () => {
      using account = createAccount(kind);
      const { code, stdout, stderr } = await run(account.command([PODWAY, 'demo']), {
        env: account.env,
        timeoutMs: 150_000,
      });
      assert.equal(code, 0, stdout + stderr);
      for (const seen of [
        /✓ all nodes Ready after/,
        /✓ DNS answered in a Pod after/,
        /✓ 10 Pods run and are ready/,
        /✓ hello-world-\S+ on node\d was answered by nginx/,
        /✓ all three nodes answered a client at 198\.51\.100\.10/,
        /✓ redis-follower-\S+ on node\d replicates from the leader/,
        /✓ redis on node\d saw 10\.244\.\d+\.\d+: the address of /,
        /✓ nothing is left/,
      ])
        assert.match(stdout, seen);
      const labs = join(account.home, 'state/podway/labs');
      assert.deepEqual(existsSync(labs) ? readdirSync(labs) : [], []);
    },
  );
}

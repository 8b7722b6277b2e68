import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isKernelError, KernelError } from './errors.ts';
import { nftError } from './nft-errors.ts';
import { sysctlPath } from './sysctl-path.ts';

describe('kernel errors', () => {
  test('KernelError: says what failed, on what, and the best words there are', () => {
    const failure = { errno: 'EEXIST', operation: 'add link', object: 'br0' };
    assert.equal(new KernelError(failure).message, 'cannot add link br0: EEXIST: file already exists');
    assert.equal(
      new KernelError({ ...failure, detail: 'taken' }).message,
      'cannot add link br0: EEXIST: taken',
    );
    assert.equal(isKernelError(new KernelError(failure), 'ENODEV', 'EEXIST'), true);
    assert.equal(isKernelError(new Error('EEXIST'), 'EEXIST'), false);
  });
  for (const [text, errno] of [
    ['Error: Could not process rule: No such file or directory\nadd rule …', 'ENOENT'],
    ['Error: No such file or directory; did you mean table ‘t’ in family ip?', 'ENOENT'],
    ['Error: Could not process rule: File exists', 'EEXIST'],
    ['Error: Could not process rule: Device or resource busy', 'EBUSY'],
    ['netlink: Error: Could not process rule: Message too long', 'EMSGSIZE'],
    ['Error: syntax error, unexpected newline', 'EINVAL'],
    ['', 'EINVAL'],
  ] as const)
    test(`nftError: ${JSON.stringify(text.slice(0, 60))} is ${errno}`, () => {
      assert.equal(nftError('run', 'nft script', text).errno, errno);
    });
  test('sysctlPath: dots separate, slashes are dots of a name', () => {
    assert.equal(
      sysctlPath('net.ipv4.conf.eth0/100.forwarding'),
      '/proc/sys/net/ipv4/conf/eth0.100/forwarding',
    );
    for (const key of ['', 'a..b', '//.a', 'a.//', 'a.\0']) assert.throws(() => sysctlPath(key), /EINVAL/);
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvalidInputError } from './errors.ts';
import { readFlags } from './read-flags.ts';

const FLAGS = {
  'node-name': { type: 'string' },
  masquerade: { type: 'boolean', default: true },
} as const;

test('readFlags: values, and --no- for what is on', () => {
  assert.deepEqual(
    { ...readFlags('podway x', ['--node-name', 'n', '--no-masquerade'], FLAGS) },
    { 'node-name': 'n', masquerade: false },
  );
});

test('readFlags: names the wrong word, the flag that was meant, and the help', () => {
  for (const [args, said] of [
    [
      ['--node-nam', 'n'],
      `arguments: invalid value "--node-nam": Unknown option '--node-nam' (did you mean --node-name?); see podway x --help`,
    ],
    [['--masqerade'], /"--masqerade".*\(did you mean --masquerade\?/],
    [['--frobnicate'], /^arguments: invalid value "--frobnicate": Unknown option '--frobnicate'; see/],
    [
      ['--node-name'],
      /^arguments: invalid value "--node-name": Option '--node-name <value>' argument missing; see/,
    ],
    [['extra'], /^arguments: invalid value "extra": Unexpected argument 'extra'; see podway x --help$/],
  ] as const)
    assert.throws(
      () => readFlags('podway x', args, FLAGS),
      (error) => {
        assert.ok(error instanceof InvalidInputError);
        if (typeof said === 'string') assert.equal(error.message, said);
        else assert.match(error.message, said);
        return true;
      },
    );
});

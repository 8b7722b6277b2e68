import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

const DOCUMENT = join(import.meta.dirname, '../../docs/operate/cni.md');
const SOURCES = globSync('**/*.{ts,c}', { cwd: import.meta.dirname }).map((file) => ({
  isTest: file.endsWith('.test.ts'),
  text: readFileSync(join(import.meta.dirname, file), 'utf8'),
}));

/** The messages of the document's table: its second column, each between backticks, what varies left out as `…`. */
const messages = readFileSync(DOCUMENT, 'utf8')
  .split('\n')
  .flatMap((line) => /^\| (\d+) +\| (.*?) +\| .*\|$/.exec(line)?.slice(1, 3).join(' ') ?? [])
  .flatMap((row) => {
    const [code = ''] = row.split(' ');
    return [...row.matchAll(/`([^`]+)`/g)].map(([, message = '']) => ({ code: Number(code), message }));
  });

/** The fixed words of a message that are longer than one: `address … is taken by container …` has `is taken by container`. */
function fixedWords(message: string): readonly string[] {
  return message
    .split(/…|\(n of m used\)|\b(?:RANGE|FIELD)\b:?/)
    .map((part) => part.trim())
    .filter((part) => part.length > 5);
}

describe('docs/operate/cni.md', () => {
  test('has a table of errors', () => assert.ok(messages.length >= 15, `${messages.length} messages`));

  for (const { code, message } of messages)
    test(`error ${code} ${message}: a test sees it`, () => {
      const words = fixedWords(message);
      assert.ok(words.length > 0, `nothing to look for in ${JSON.stringify(message)}`);
      for (const part of words)
        assert.ok(
          SOURCES.some(({ isTest, text }) => isTest && text.includes(part)),
          `no test has ${JSON.stringify(part)}`,
        );
    });
});

import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';

const root = resolve(import.meta.dirname, '..');
const pages = globSync(['*.md', '{docs,packages,test,bench,tools,examples}/**/*.md'], { cwd: root });

/** Paths of other repositories, and those that stand for many. */
const ELSEWHERE = /^test\/e2e\/|NAME|\*/;

function missing(page: string): readonly string[] {
  const text = readFileSync(join(root, page), 'utf8');
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target.replace(/#.*/, ''));
  const own = links.filter((target) => target !== '' && !/^[a-z]+:/.test(target));
  const paths = [...text.matchAll(/`((?:packages|docs|test|tools|bench|examples)\/[\w./-]+)`/g)]
    .map(([, path = '']) => path)
    .filter((path) => !ELSEWHERE.test(path));
  return [
    ...own.filter((target) => !existsSync(join(root, dirname(page), target))),
    ...paths.filter((path) => !existsSync(join(root, path))),
  ];
}

test('documentation: what it links to and the paths it names are there', () => {
  assert.ok(pages.includes('README.md'));
  const found = pages.flatMap((page) => missing(page).map((target) => `${page}: ${target}`));
  assert.deepEqual(found, []);
});

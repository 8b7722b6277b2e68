/** A node:test reporter: one JSON line a test, or a suite skipped as a whole, for `tools/test.ts` to count and to list skips from. */
import { relative } from 'node:path';
import type { TestEvent } from 'node:test/reporters';
import type { TestResult } from './run-job.ts';

// The runner loads a reporter by its default export.
// biome-ignore lint/style/noDefaultExport: node:test's contract
export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of source) {
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue;
    const { name, file, skip, todo, details } = event.data;
    const skipped = skip !== undefined || todo !== undefined;
    if (details.type === 'suite' && !skipped) continue;
    const result: TestResult = {
      file: file === undefined ? '' : relative(process.cwd(), file),
      name,
      outcome: skipped ? 'skipped' : event.type === 'test:pass' ? 'passed' : 'failed',
      ...(skipped ? { reason: reasonOf(skip ?? todo) } : {}),
    };
    yield `${JSON.stringify(result)}\n`;
  }
}

function reasonOf(value: string | boolean | undefined): string {
  return typeof value === 'string' && value !== '' ? value : 'NO REASON GIVEN';
}

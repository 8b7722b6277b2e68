/** A node:test reporter for logs: silent about what passes; failures in full, with what the test printed. */

import type { TestEvent } from 'node:test/reporters';
import { inspect } from 'node:util';

// biome-ignore lint/style/noDefaultExport: node:test's contract
export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of source) {
    if (event.type === 'test:stderr' || event.type === 'test:stdout') yield event.data.message;
    if (event.type !== 'test:fail') continue;
    const { name, file, line, details } = event.data;
    // A suite fails with its tests, which say why; or by a hook, and then the tests do not know why.
    const { error }: { readonly error: Error & { readonly failureType?: string } } = details;
    if (details.type === 'suite' && error.failureType === 'subtestsFailed') continue;
    const cause = error.cause ?? error;
    yield `\nnot ok: ${name} (${file}:${line})\n${inspect(cause, { depth: 4 })}\n`;
  }
}

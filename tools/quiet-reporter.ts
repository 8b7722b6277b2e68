/** A node:test reporter for logs: silent about what passes; failures in full, with what the test printed. */

import type { TestEvent } from 'node:test/reporters';
import { inspect } from 'node:util';

// biome-ignore lint/style/noDefaultExport: node:test's contract
export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of source) {
    if (event.type === 'test:stderr' || event.type === 'test:stdout') yield event.data.message;
    if (event.type !== 'test:fail' || event.data.details.type === 'suite') continue;
    const { name, file, line, details } = event.data;
    const cause = details.error.cause ?? details.error;
    yield `\nnot ok: ${name} (${file}:${line})\n${inspect(cause, { depth: 4 })}\n`;
  }
}

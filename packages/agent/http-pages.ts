import { createServer } from 'node:http';
import type { ListenAddress } from '#ip';
import { errorMessage, type Logger } from '#runtime';

export interface Page {
  readonly status: number;
  readonly body: string;
}

/**
 * Serves a few read-only pages by path. Failing to listen is logged and done without: it must not take the node's
 * network with it (the port may still be the last agent's for a moment).
 */
export async function servePages(
  { address, port }: ListenAddress,
  pages: Readonly<Record<string, () => Page>>,
  logger: Logger,
): Promise<AsyncDisposable> {
  if (port === 0) return { async [Symbol.asyncDispose]() {} };
  const server = createServer((request, response) => {
    const page = pages[request.url?.split('?')[0] ?? ''];
    const { status, body } = page?.() ?? {
      status: 404,
      body: `not found; there are ${Object.keys(pages).join(' ')}\n`,
    };
    response.writeHead(status, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(body);
  });
  await new Promise<void>((resolve) => {
    server.once('error', (error) => {
      logger.warn('cannot serve', { pages: Object.keys(pages), address, port, error: errorMessage(error) });
      resolve();
    });
    server.listen(port, address, resolve);
  });
  return {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

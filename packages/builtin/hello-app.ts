import { hostname } from 'node:os';
import { listenHttp } from './http-server.ts';

/** The text of `gcr.io/google-samples/hello-app`, by the image's tag. */
export function helloText(tag: string, host: string): string {
  const version = /^v?(\d+)(?:\.(\d+))?/.exec(tag);
  const text = version === null ? '1.0.0' : `${version[1]}.${version[2] ?? '0'}.0`;
  return `Hello, world!\nVersion: ${text}\nHostname: ${host}\n`;
}

/** Serves the text on $PORT, or 8080, and logs each request, as the image does. */
export async function runHelloApp(): Promise<void> {
  const port = Number(process.env['PORT'] || '8080');
  await listenHttp(port, (request, response) => {
    log(`Serving request: ${request.url ?? '/'}`);
    response.setHeader('content-type', 'text/plain; charset=utf-8');
    response.end(helloText(process.env['PODWAY_IMAGE_TAG'] ?? '', hostname()));
  });
  log(`Server listening on port ${port}`);
}

function log(text: string): void {
  const now = new Date().toISOString();
  process.stderr.write(`${now.slice(0, 10).replaceAll('-', '/')} ${now.slice(11, 19)} ${text}\n`);
}

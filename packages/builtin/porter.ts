import { clientAddress, listenHttp } from './http-server.ts';

const VARIABLE = /^SERVE_PORT_(\d+)$/;

/** agnhost's porter: for each variable `SERVE_PORT_N=TEXT`, an HTTP server on port N that answers TEXT. */
export async function runPorter(environment: NodeJS.ProcessEnv): Promise<void> {
  for (const [port, text] of portsToServe(environment)) {
    await listenHttp(port, (request, response) => {
      process.stdout.write(`${request.method ?? ''} from ${clientAddress(request)}\n`);
      response.end(text);
    });
    process.stdout.write(`server listening on port ${port}\n`);
  }
}

export function portsToServe(environment: NodeJS.ProcessEnv): readonly (readonly [number, string])[] {
  return Object.entries(environment).flatMap(([name, value]) => {
    const port = Number(VARIABLE.exec(name)?.[1] ?? 0);
    return port > 0 && port < 65_536 ? [[port, value ?? ''] as const] : [];
  });
}

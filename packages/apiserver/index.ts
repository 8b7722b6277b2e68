export { inProcessClient } from './in-process-client.ts';
export { type ApiServer, startApiServer } from './server/api-server.ts';
export { runApiServer } from './server/main.ts';
export type { ApiServerOptions, Listen, TlsOptions } from './server/options.ts';

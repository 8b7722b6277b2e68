export { inProcessClient } from './inProcessClient.ts';
export { type ApiServer, startApiServer } from './server/apiServer.ts';
export { runApiServer } from './server/main.ts';
export type { ApiServerOptions, Listen, TlsOptions } from './server/options.ts';

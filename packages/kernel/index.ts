export type * from './ports.ts';
export { ROUTE_PROTOCOL_PODWAY, ROUTE_TABLE_MAIN } from './ports.ts';

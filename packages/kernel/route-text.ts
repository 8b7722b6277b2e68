import { ROUTE_TABLE_MAIN, type RouteSpec } from './ports/routes.ts';

/** The route in the words of `ip route`: for errors, logs and plans. */
export function describeRoute(route: RouteSpec): string {
  const words: string[] = [];
  if (route.type !== undefined && route.type !== 'unicast') words.push(route.type);
  words.push(route.destination);
  if (route.gateway !== undefined) words.push('via', route.gateway);
  if (route.link !== undefined) words.push('dev', route.link);
  if (route.table !== undefined && route.table !== ROUTE_TABLE_MAIN) words.push('table', String(route.table));
  if (route.metric !== undefined && route.metric !== 0) words.push('metric', String(route.metric));
  if (route.onlink) words.push('onlink');
  return words.join(' ');
}

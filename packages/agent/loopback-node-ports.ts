import { LoopbackRouting, type NetworkNamespace } from '#kernel';
import { type Clock, type Logger, Reconciler } from '#runtime';
import { type NodePortAddressOption, selectsLoopback } from '#service-proxy';

/** What others do to the guard, they do without a word: looked at this often. Milliseconds. */
const CHECK_MS = 5_000;

/** While `stack` lives, the node's own connections to NodePorts on 127.0.0.1 can leave by other links, if the option asks for such. */
export function keepLoopbackNodePorts(
  option: NodePortAddressOption,
  deps: { readonly netns: NetworkNamespace; readonly clock: Clock; readonly logger: Logger },
  stack: AsyncDisposableStack,
): void {
  const { netns, clock, logger } = deps;
  if (selectsLoopback(option, 'IPv6'))
    logger.warn('NodePorts do not answer on ::1: Linux lets no packet of it leave by another link');
  if (!selectsLoopback(option, 'IPv4')) return;
  const routing = new LoopbackRouting(netns);
  const reconciler = new Reconciler({ name: 'loopback routing', logger, clock, againMs: CHECK_MS }, () =>
    routing.ensure(),
  );
  stack.use(reconciler).trigger();
}

import { InvalidInputError } from '#runtime';
import { PROXY_MECHANISMS, type ProxyMechanism } from '#service-proxy';

/** What carries Services in the labs of the tests; `PODWAY_TEST_PROXY` names another one. */
export const PROXY = read(process.env['PODWAY_TEST_PROXY'] ?? 'nftables');

function read(name: string): ProxyMechanism {
  const found = PROXY_MECHANISMS.find((mechanism) => mechanism === name);
  if (found === undefined)
    throw new InvalidInputError('PODWAY_TEST_PROXY', name, `must be one of ${PROXY_MECHANISMS.join(', ')}`);
  return found;
}

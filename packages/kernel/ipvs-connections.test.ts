import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseIp as ip } from '#ip';
import { NetlinkFormatError } from './errors.ts';
import { parseIpvsConnections } from './ipvs-connections.ts';

/** What Linux 6.1 showed. */
const TITLE = 'Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n';
const TABLE = `${TITLE}TCP 7F000001 80E6 7F000009 0050 7F000001 1F90 ESTABLISHED     899
TCP 7F000000 0000 7F000009 0050 7F000001 1F90 ASSURED          99
UDP fd00:0096:0000:0000:0000:0000:0000:000a A2AE fd00:0096:0000:0000:0000:0000:0000:000a 0035 fd00:0000:0000:0000:0000:0000:0000:0001 14E9 UDP             299
`;

describe('parseIpvsConnections', () => {
  const web = { address: ip('127.0.0.9'), port: 80, protocol: 'TCP' } as const;
  const dns = { address: ip('fd00:96::a'), port: 53, protocol: 'UDP' } as const;

  test('a connection, a persistence template, and IPv6', () => {
    const destination = { address: '127.0.0.1', port: 8080 };
    assert.deepEqual(parseIpvsConnections(TABLE), [
      {
        ...{ service: web, client: '127.0.0.1', clientPort: 32998, destination },
        ...{ state: 'ESTABLISHED', timeout: 899 },
      },
      { service: web, client: '127.0.0.0', clientPort: 0, destination, state: 'ASSURED', timeout: 99 },
      {
        ...{ service: dns, client: 'fd00:96::a', clientPort: 41646 },
        ...{ destination: { address: 'fd00::1', port: 5353 }, state: 'UDP', timeout: 299 },
      },
    ]);
  });
  test('filters by service and destination', () => {
    const count = (filter: Parameters<typeof parseIpvsConnections>[1]) =>
      parseIpvsConnections(TABLE, filter).length;
    assert.deepEqual(
      [
        count({ service: web }),
        count({ service: dns }),
        count({ service: { ...web, protocol: 'UDP' } }),
        count({ service: web, destination: { address: ip('127.0.0.1'), port: 8080 } }),
        count({ destination: { address: ip('127.0.0.1'), port: 80 } }),
      ],
      [2, 1, 0, 2, 0],
    );
  });
  test('an empty table; other protocols are left out; anything else is refused', () => {
    assert.deepEqual(parseIpvsConnections(TITLE), []);
    assert.deepEqual(parseIpvsConnections(''), []);
    assert.deepEqual(
      parseIpvsConnections(`${TITLE}ESP 7F000001 0000 7F000009 0000 7F000001 0000 NONE 1\n`),
      [],
    );
    for (const line of ['TCP', 'TCP 7F000001 80E6 7F000009 0050 7F0000 1F90 ESTABLISHED 899'])
      assert.throws(() => parseIpvsConnections(`${TITLE}${line}\n`), NetlinkFormatError);
  });
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseIp, parseMac } from '#ip';
import { encodeAnnouncement, internetChecksum } from './announcement.ts';

describe('encodeAnnouncement', () => {
  const mac = parseMac('02:00:00:00:00:0a');

  test('IPv4: an ARP request for the own address, to everyone', () => {
    const { etherType, destination, packet } = encodeAnnouncement(parseIp('10.244.1.5'), mac);
    assert.deepEqual([etherType, destination], [0x0806, 'ff:ff:ff:ff:ff:ff']);
    assert.equal(
      packet.toString('hex'),
      '0001080006040001' + '02000000000a' + '0af40105' + '000000000000' + '0af40105',
    );
  });
  test('IPv6: an unsolicited neighbour advertisement whose checksum holds', () => {
    const { etherType, destination, packet } = encodeAnnouncement(parseIp('fd00::5'), mac);
    assert.deepEqual([etherType, destination, packet.length], [0x86dd, '33:33:00:00:00:01', 72]);
    assert.equal(packet.subarray(0, 8).toString('hex'), '6000000000203aff');
    const icmp = packet.subarray(40);
    assert.equal(icmp.toString('hex', 0, 2), '8800');
    assert.equal(icmp.toString('hex', 24), '020102000000000a');
    // A sum that includes a right checksum is zero.
    const pseudo = Buffer.concat([packet.subarray(8, 40), Buffer.from('000000200000003a', 'hex'), icmp]);
    assert.equal(internetChecksum(pseudo), 0);
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { frontendDescriptors } from './descriptor-limit.ts';

const limits = (soft: string) =>
  `Limit                     Soft Limit           Hard Limit           Units     \nMax processes             63703                63703                processes \nMax open files            ${soft.padEnd(20)} 1048576              files     \n`;

test('frontendDescriptors: a quarter is left to others, or a thousand of many', () => {
  assert.equal(frontendDescriptors(limits('1024')), 768);
  assert.equal(frontendDescriptors(limits('20000')), 18_976);
  assert.equal(frontendDescriptors(limits('unlimited')), Number.POSITIVE_INFINITY);
  assert.ok(frontendDescriptors() > 100);
});

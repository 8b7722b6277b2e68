import { suite } from 'node:test';
import { PROXY_MECHANISMS } from '#service-proxy';
import { mechanismsLackingHere } from './support/lacking-mechanisms.ts';
import { proxyModeCases } from './support/proxy-mode-cases.ts';

const lacking = await mechanismsLackingHere();

for (const mechanism of PROXY_MECHANISMS)
  suite(`lab up --proxy ${mechanism}`, { skip: lacking.get(mechanism) ?? false }, () =>
    proxyModeCases(mechanism),
  );

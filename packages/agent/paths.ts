import { join } from 'node:path';
import type { AgentOptions } from './options.ts';

/** The agent's own files. */
export function agentPaths({ runDir, stateDir }: Pick<AgentOptions, 'runDir' | 'stateDir'>) {
  return {
    socket: join(runDir, 'agent.sock'),
    store: join(stateDir, 'attachments.sqlite'),
    ranges: join(stateDir, 'pod-ranges.json'),
  } as const;
}

export { type Agent, type AgentDeps, startAgent } from './agent.ts';
export { cleanUpNode } from './clean-up.ts';
export { type AgentOptions, parseAgentOptions } from './options.ts';
export { runAgent } from './run-agent.ts';

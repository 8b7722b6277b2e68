export { type Agent, type AgentDeps, cleanUpNode, startAgent } from './agent.ts';
export { type AgentOptions, parseAgentOptions } from './options.ts';
export { runAgent } from './run-agent.ts';

export { AGENT_HELP } from './options.ts';
export { runAgent } from './run-agent.ts';

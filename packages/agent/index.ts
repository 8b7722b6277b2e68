export { AGENT_HELP } from './help.ts';
export { runAgent } from './run-agent.ts';

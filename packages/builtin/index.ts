export { runBuiltin } from './run-builtin.ts';

import { runBuiltin } from '../builtin/run-builtin.ts';

await runBuiltin(process.argv.slice(2));

/** Tests only: a CNI node in a process of its own, to be killed. Arguments: its state directory, its Pod CIDRs with commas, the client. */
import { startCniNode } from './fixture.ts';

const [dir = '', podCidrs = '', client] = process.argv.slice(2);
await startCniNode({ dir, podCidrs: podCidrs.split(','), client });
process.stdout.write('ready\n');
setInterval(() => {}, 1 << 30);

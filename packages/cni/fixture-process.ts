/** Tests only: a CNI node in a process of its own, to be killed. Arguments: its state directory, its Pod CIDR, the client. */
import { startCniNode } from './fixture.ts';

const [dir = '', podCidr = '', client] = process.argv.slice(2);
await startCniNode({ dir, podCidrs: [podCidr], client });
process.stdout.write('ready\n');
setInterval(() => {}, 1 << 30);

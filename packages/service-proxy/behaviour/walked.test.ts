import { describeBehaviour } from './suite.ts';
import { WalkedWorld } from './walked-world.ts';

describeBehaviour('nftables, by the walker', async () => new WalkedWorld());

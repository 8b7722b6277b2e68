import { IP_FAMILIES } from '#ip';
import { describeBehaviour } from './suite.ts';
import { WalkedIptables, WalkedWorld } from './walked-world.ts';

for (const family of IP_FAMILIES) {
  describeBehaviour(`nftables, ${family}, by the walker`, family, async () => new WalkedWorld(family));
  describeBehaviour(`iptables, ${family}, by the walker`, family, async () => new WalkedIptables(family));
}

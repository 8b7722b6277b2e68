import { describeMechanism, testedMechanism } from './mechanism.ts';

describeMechanism(testedMechanism('nftables'));

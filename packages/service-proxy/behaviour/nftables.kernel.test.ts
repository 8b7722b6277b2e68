import { describeMechanism } from './mechanism.ts';
import { testedMechanism } from './tested-mechanism.ts';

describeMechanism(testedMechanism('nftables'));

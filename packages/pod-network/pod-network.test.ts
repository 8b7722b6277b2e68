import { fakeKernel } from '#kernel';
import { podNetworkBehaviour } from './behaviour.ts';

podNetworkBehaviour(fakeKernel(), false);

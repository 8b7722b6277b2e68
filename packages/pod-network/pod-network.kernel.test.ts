import { linuxKernel } from '#kernel';
import { podNetworkBehaviour } from './behaviour.ts';

podNetworkBehaviour(linuxKernel(), true);

import { sandboxedKernel } from '#kernel';
import { podNetworkBehaviour } from './behaviour.ts';

podNetworkBehaviour(sandboxedKernel(), true);

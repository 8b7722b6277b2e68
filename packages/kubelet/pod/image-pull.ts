import type { ContainerState } from '#kube-api';
import type { EventType } from '#kube-client';
import type { Clock } from '#runtime';
import type { ImageTable, ResolvedImage } from '../images/resolve.ts';
import { CrashBackoff } from './crash-backoff.ts';

/** How long an image that cannot be had is shown as ErrImagePull, before ImagePullBackOff. */
const ERROR_SHOWN_MS = 1_000;

export interface ImagePullOptions {
  readonly images: ImageTable;
  readonly clock: Clock;
  readonly event: (type: EventType, reason: string, message: string) => void;
  /** The state of a container that waits for its image. */
  readonly onWaiting: (waiting: NonNullable<ContainerState['waiting']>) => void;
  /** Whether it still waits, for the reason last given. */
  readonly stillWaiting: (reason: string) => boolean;
}

/** Finds a container's image, and tells of it as a kubelet tells of pulling one. */
export class ImagePull {
  readonly #options: ImagePullOptions;
  readonly #backoff: CrashBackoff;

  constructor(options: ImagePullOptions) {
    this.#options = options;
    this.#backoff = new CrashBackoff(options.clock);
  }

  /** Milliseconds until the next attempt is due. */
  remainingMs(): number {
    return this.#backoff.remainingMs();
  }

  /** undefined when it cannot be had now. */
  pull(image: string): ResolvedImage | undefined {
    const { images, event, onWaiting } = this.#options;
    const result = images.resolve(image);
    switch (result.kind) {
      case 'found':
        event('Normal', 'Pulled', `Container image "${image}" already present on machine`);
        return result.image;
      case 'invalid':
        event('Warning', 'InspectFailed', result.message);
        onWaiting({ reason: 'InvalidImageName', message: result.message });
        break;
      case 'missing':
        event('Normal', 'Pulling', `Pulling image "${image}"`);
        event('Warning', 'Failed', `Failed to pull image "${image}": ${result.message}`);
        event('Warning', 'Failed', 'Error: ErrImagePull');
        onWaiting({ reason: 'ErrImagePull', message: result.message });
        this.#backOffLater(image, result.message);
        break;
    }
    this.#backoff.next();
    this.#backoff.ended();
    return undefined;
  }

  #backOffLater(image: string, why: string): void {
    const { clock, event, onWaiting, stillWaiting } = this.#options;
    const backOff = () => {
      if (!stillWaiting('ErrImagePull')) return;
      event('Normal', 'BackOff', `Back-off pulling image "${image}"`);
      event('Warning', 'Failed', 'Error: ImagePullBackOff');
      const message = `Back-off pulling image "${image}": ErrImagePull: ${why}`;
      onWaiting({ reason: 'ImagePullBackOff', message });
    };
    clock.setTimer(ERROR_SHOWN_MS, backOff, { unref: true });
  }
}

import { IP_FAMILIES } from '#ip';
import type { Endpoints, Service } from '#kube-api';
import type { ControllerContext } from '../base/context.ts';
import { each, keyOf, startKeyedController } from '../base/keyed-controller.ts';
import type { Stored } from '../base/stored.ts';
import { applySlices, hasSelector, ownSlices } from './endpointslice.ts';
import { planSlices } from './slice-plan.ts';
import { groupsOfSubsets } from './subsets.ts';

const MANAGER = 'endpointslicemirroring-controller.k8s.io';
const SKIP = 'endpointslice.kubernetes.io/skip-mirror';

/** Shows the Endpoints that people write for Services without a selector as EndpointSlices too. */
export function startEndpointSliceMirroringController(context: ControllerContext): AsyncDisposable {
  const { services, endpoints } = context.informers;

  async function reconcile(key: string): Promise<undefined> {
    const service = services.get(key);
    const source = endpoints.get(key);
    const existing = ownSlices(context, key, MANAGER);
    if (service === undefined || source === undefined || !isMirrored(service, source)) {
      await applySlices(context, { create: [], update: [], remove: existing });
      return;
    }
    const groups = new Map(
      IP_FAMILIES.map((family) => [family, groupsOfSubsets(source, family)] as const).filter(
        ([, found]) => found.length > 0,
      ),
    );
    await applySlices(context, planSlices({ service, manager: MANAGER, groups }, existing));
  }

  return startKeyedController(context, 'endpointslicemirroring', reconcile, (trigger) => {
    const triggerFor = (current: Stored<unknown> | undefined, old: Stored<unknown> | undefined) => {
      const changed = current ?? old;
      if (changed !== undefined) trigger(keyOf(changed));
    };
    return [each(services, triggerFor), each(endpoints, triggerFor)];
  });
}

function isMirrored(service: Service, { metadata }: Stored<Endpoints>): boolean {
  return (
    !hasSelector(service) &&
    service.spec?.type !== 'ExternalName' &&
    metadata.labels?.[SKIP] !== 'true' &&
    metadata.annotations?.['control-plane.alpha.kubernetes.io/leader'] === undefined
  );
}

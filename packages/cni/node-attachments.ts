import type { Clock, Logger } from '#runtime';
import { errorMessage } from '#runtime';
import { type AddressRange, gatewayOf } from './address-range.ts';
import { type Attachment, type AttachmentKey, formatKey, hostLinkName, macOf } from './attachment.ts';
import { attachmentResult } from './attachment-result.ts';
import type { AttachmentStore } from './attachment-store.ts';
import type { DataPath, Wiring } from './data-path.ts';
import { CNI_CODES, CniError } from './errors.ts';
import type { HostPorts } from './host-ports.ts';
import type { NetworkConfig } from './network-config.ts';
import { requireFreePorts } from './port-mappings.ts';
import type { CniResult } from './result.ts';
import { Turns } from './turns.ts';

/** What a node gives its Pods. */
export interface NodeNetwork {
  /** One list a family; a Pod gets an address from each. */
  readonly ranges: readonly (readonly AddressRange[])[];
  /** Of Pods' links, bytes. */
  readonly mtu: number;
}

export interface NodeAttachmentsDeps {
  readonly store: AttachmentStore;
  readonly dataPath: DataPath;
  readonly hostPorts: HostPorts;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What a runtime asks to be attached. */
export interface AttachmentRequest {
  readonly key: AttachmentKey;
  /** Path of the Pod's network namespace. */
  readonly netns: string;
  /** `namespace/name` of the Pod, when the runtime told. */
  readonly pod: string | undefined;
  readonly config: NetworkConfig;
}

/**
 * The Pods' attachments on this node: their records, their links and their host ports, kept in step. What is done to one
 * is done in the order in which it was asked for.
 */
export class NodeAttachments {
  readonly #deps: NodeAttachmentsDeps;
  readonly #turns = new Turns();
  #node: NodeNetwork | undefined;

  constructor(deps: NodeAttachmentsDeps) {
    this.#deps = deps;
  }

  /** From here on Pods can be added; before, {@link add} and {@link requireRoom} refuse. */
  setNode(node: NodeNetwork): void {
    this.#deps.dataPath.prepareNode(node.ranges.flat(), node.mtu);
    this.#node = node;
  }

  /**
   * Attaches a Pod, or gives the result again of one that is attached as asked for. On failure nothing is left.
   * @throws CniError 11 while the node has no ranges, 100 when they are full, 102 when a port or address is another's
   */
  add(request: AttachmentRequest): Promise<CniResult> {
    return this.#turns.take(formatKey(request.key), () => this.#add(request));
  }

  /** Takes away all there is of it. Nothing there is not an error. */
  delete(key: AttachmentKey): Promise<void> {
    return this.#turns.take(formatKey(key), async () => {
      const attachment = this.#deps.store.get(key);
      // A link of ours without a record is possible after a state directory was lost.
      if (attachment === undefined) await this.#deps.dataPath.detach({ hostLink: hostLinkName(key) });
      else await this.#detach(attachment);
    });
  }

  /** @throws CniError 3 when it is not known, 7 without prevResult, 101 when it is not as {@link add} made it */
  async check({ key, netns, config }: AttachmentRequest): Promise<void> {
    const attachment = this.#deps.store.get(key);
    if (attachment === undefined)
      throw new CniError(CNI_CODES.unknownContainer, `no attachment ${formatKey(key)} is known`);
    const prevResult = config.prevResult;
    if (prevResult === undefined)
      throw new CniError(CNI_CODES.invalidConfig, 'prevResult: required for CHECK, and missing');
    const problems = [
      ...attachment.addresses
        .filter((address) => !prevResult.ips.some((ip) => ip.address === address))
        .map((address) => `prevResult does not have address ${address}, which ADD gave`),
      ...this.#deps.dataPath.check(this.#wiring({ ...attachment, netns }, config)),
      ...(await this.#deps.hostPorts.check(attachment)),
    ];
    if (problems.length > 0)
      throw new CniError(CNI_CODES.checkFailed, `the attachment is not what ADD made: ${problems[0]}`, {
        details: problems.join('; '),
      });
  }

  /** Ends the network's attachments that the runtime does not list. @throws CniError 7 without a list */
  async collect({ name, validAttachments }: NetworkConfig): Promise<void> {
    if (validAttachments === undefined)
      throw new CniError(CNI_CODES.invalidConfig, 'cni.dev/valid-attachments: required for GC, and missing');
    const keep = new Set(
      validAttachments.map(({ containerId, ifName }) => formatKey({ network: name, containerId, ifName })),
    );
    await this.#releaseAll(
      this.#deps.store.list(),
      'GC does not list it',
      (attachment) => attachment.network === name && !keep.has(formatKey(attachment)),
    );
    await this.#reconcileHostPorts();
  }

  /** @throws CniError 50 when no Pod can be added, 51 when those that are there cannot be reached either */
  requireRoom(): void {
    const { store, dataPath } = this.#deps;
    const node = this.#readyNode(CNI_CODES.notAvailable);
    const [problem] = dataPath.checkNode();
    if (problem !== undefined)
      throw new CniError(CNI_CODES.limitedConnectivity, problem, {
        details: 'the agent makes it anew within seconds',
      });
    for (const ranges of node.ranges) store.requireRoom(ranges);
  }

  /** Puts right what others did to the node's bridge and to the rules of host ports; asks little of the kernel. */
  async verify(): Promise<void> {
    if (this.#node !== undefined) this.setNode(this.#node);
    await this.#deps.hostPorts.verify(() => this.#deps.store.list());
  }

  /** Ends attachments whose Pod is gone, and host ends that nobody remembers: what a missed DEL or a kill left. */
  async repair(): Promise<void> {
    const { store, dataPath, logger } = this.#deps;
    const attachments = store.list();
    const known = new Set(attachments.map(({ hostLink }) => hostLink));
    const unknown = dataPath.hostLinks().filter((hostLink) => !known.has(hostLink));
    // All begun at once: an ADD that comes while the repair is under way makes a link of the same name anew, after it.
    const removals = unknown.map((hostLink) => dataPath.detach({ hostLink }));
    if (unknown.length > 0) logger.warn('removing Pod links that no attachment has', { links: unknown });
    await Promise.all(removals);
    await this.#releaseAll(attachments, 'its Pod is gone', (attachment) => !dataPath.isAlive(attachment));
    await this.#reconcileHostPorts();
  }

  async #add(request: AttachmentRequest): Promise<CniResult> {
    const { key, netns, pod, config } = request;
    const { store, dataPath, clock, logger } = this.#deps;
    const node = this.#readyNode(CNI_CODES.tryAgainLater);
    const earlier = store.get(key);
    if (earlier !== undefined) {
      // The runtime asks again, not having had our answer: the same attachment, or what is left of it, anew.
      if (this.#isWhole(earlier, request)) return this.#result(earlier, config);
      await this.#detach(earlier);
    }
    if (config.portMappings.length > 0) requireFreePorts(config.portMappings, store.list());
    const attachment = store.reserve(
      {
        ...key,
        netns,
        hostLink: hostLinkName(key),
        pod,
        portMappings: config.portMappings,
        ranges: node.ranges,
        fixed: config.ips,
      },
      clock.now(),
    );
    try {
      await dataPath.attach({ ...this.#wiring(attachment, config), mtu: node.mtu });
      if (attachment.portMappings.length > 0) await this.#reconcileHostPorts();
      store.complete(key);
    } catch (error) {
      // Why ADD failed is what the runtime has to hear, also when not all can be taken back; its DEL comes for the rest.
      await this.#detach(attachment).catch((cause: unknown) =>
        logger.warn('cannot take back a failed attachment', {
          attachment: formatKey(key),
          error: errorMessage(cause),
        }),
      );
      throw error;
    }
    logger.debug('CNI ADD', {
      attachment: formatKey(key),
      pod: attachment.pod,
      addresses: attachment.addresses,
    });
    return this.#result(attachment, config);
  }

  /** @param isOver asked again when an attachment's turn comes */
  async #releaseAll(
    attachments: readonly Attachment[],
    reason: string,
    isOver: (attachment: Attachment) => boolean,
  ): Promise<void> {
    const release = async (key: AttachmentKey) => {
      const attachment = this.#deps.store.get(key);
      if (attachment === undefined || !isOver(attachment)) return;
      await this.#detach(attachment);
      this.#deps.logger.info('released an attachment', { attachment: formatKey(key), reason });
    };
    await Promise.all(
      attachments
        .filter(isOver)
        .map((attachment) => this.#turns.take(formatKey(attachment), () => release(attachment))),
    );
  }

  #reconcileHostPorts(): Promise<void> {
    return this.#deps.hostPorts.reconcile(() => this.#deps.store.list());
  }

  #isWhole(attachment: Attachment, { netns, config }: AttachmentRequest): boolean {
    if (!attachment.complete || attachment.netns !== netns) return false;
    return this.#deps.dataPath.check(this.#wiring(attachment, config)).length === 0;
  }

  /**
   * The kernel first, the record last: killed between, the record still leads to what is left. Host ports follow from
   * the records, and may be in the kernel before their own ADD came so far: another's put them there.
   */
  async #detach(attachment: Attachment): Promise<void> {
    await this.#deps.dataPath.detach(attachment);
    this.#deps.store.release(attachment, this.#deps.clock.now());
    if (attachment.portMappings.length > 0) await this.#reconcileHostPorts();
  }

  #wiring(attachment: Attachment, config: NetworkConfig): Omit<Wiring, 'mtu'> {
    const ranges = this.#node?.ranges.flat() ?? [];
    return {
      attachment,
      addresses: attachment.addresses.flatMap((address) => {
        const gateway = gatewayOf(ranges, address);
        return gateway === undefined ? [] : [{ address, gateway }];
      }),
      mac: config.mac ?? macOf(attachment.addresses),
      bandwidth: config.bandwidth,
    };
  }

  #result(attachment: Attachment, config: NetworkConfig): CniResult {
    return attachmentResult({ ...this.#wiring(attachment, config), mtu: this.#node?.mtu }, config);
  }

  #readyNode(code: typeof CNI_CODES.tryAgainLater | typeof CNI_CODES.notAvailable): NodeNetwork {
    if (this.#node === undefined)
      throw new CniError(code, 'the node has no Pod CIDR yet', {
        details: 'the Podway agent waits for spec.podCIDRs of its Node; see its log',
      });
    return this.#node;
  }
}

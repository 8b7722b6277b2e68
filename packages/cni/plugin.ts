import { type IpAddress, type IpPrefix, parsePrefix, prefixContains } from '#ip';
import type { Clock, Logger } from '#runtime';
import { errorMessage, PodwayError } from '#runtime';
import type { AddressRange } from './address-range.ts';
import { type Attachment, type AttachmentKey, formatKey, hostLinkName, macOf } from './attachment.ts';
import type { AttachmentStore } from './attachment-store.ts';
import { BRIDGE, type DataPath, type PodAddress } from './data-path.ts';
import { CNI_CODES, CniError, errorResult } from './errors.ts';
import type { Outcome, RequestFrame } from './frame.ts';
import type { HostPorts } from './host-ports.ts';
import { type NetworkConfig, type NetworkIdentity, parseConfig, parseIdentity } from './network-config.ts';
import { requireFreePorts } from './port-mappings.ts';
import type { CniRequest } from './request.ts';
import { readRequest } from './request.ts';
import { type CniResult, formatResult } from './result.ts';
import { Turns } from './turns.ts';
import { CNI_VERSIONS, LATEST_CNI_VERSION, requireCommand } from './version.ts';

/** What a node gives its Pods. */
export interface NodeNetwork {
  /** One list a family; a Pod gets an address from each. */
  readonly ranges: readonly (readonly AddressRange[])[];
  /** Of Pods' links, bytes. */
  readonly mtu: number;
}

export interface CniPluginDeps {
  readonly store: AttachmentStore;
  readonly dataPath: DataPath;
  readonly hostPorts: HostPorts;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told of each execution, for metrics. */
  readonly onExecuted?: (execution: {
    readonly command: string;
    readonly code: number;
    readonly milliseconds: number;
  }) => void;
}

/** The plugin itself: what each command of the CNI specification 1.1.0 does on this node. */
export class CniPlugin {
  readonly #deps: CniPluginDeps;
  /** Commands for one attachment run one after the other. */
  readonly #turns = new Turns();
  #node: NodeNetwork | undefined;

  constructor(deps: CniPluginDeps) {
    this.#deps = deps;
  }

  /** From here on Pods can be added; before, ADD and STATUS say that the node is not ready. */
  setNode(node: NodeNetwork): void {
    this.#deps.dataPath.prepareNode(node.ranges.flat(), node.mtu);
    this.#node = node;
  }

  /** Answers one execution. Never throws: a failure is an error result. */
  async execute(frame: RequestFrame): Promise<Outcome> {
    const { clock, onExecuted } = this.#deps;
    const started = clock.monotonic();
    const { command, code, outcome } = await this.#execute(frame);
    onExecuted?.({ command, code, milliseconds: clock.monotonic() - started });
    return outcome;
  }

  async #execute(frame: RequestFrame): Promise<{
    readonly command: string;
    readonly code: number;
    readonly outcome: Outcome;
  }> {
    let version: string = LATEST_CNI_VERSION;
    let command = 'unknown';
    try {
      const request = readRequest(frame.environment, frame.input);
      command = request.command;
      if (request.command === 'VERSION')
        return { command, code: 0, outcome: success(versionResult(request.config)) };
      const identity = parseIdentity(request.config);
      version = identity.cniVersion;
      return { command, code: 0, outcome: success(await this.#dispatch(request, identity)) };
    } catch (error) {
      const known = asCniError(error);
      const container = frame.environment.get('CNI_CONTAINERID');
      this.#deps.logger.warn(`CNI ${command} failed: ${known.message}`, {
        container,
        details: known.details,
      });
      const output = JSON.stringify(errorResult(known, version));
      return { command, code: known.cniCode, outcome: { exitStatus: 1, output } };
    }
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

  async #dispatch(request: CniRequest, { name, cniVersion }: NetworkIdentity): Promise<object | undefined> {
    requireCommand(request.command, cniVersion);
    const key = { network: name, containerId: request.containerId, ifName: request.ifName };
    switch (request.command) {
      case 'ADD': {
        const config = parseConfig(request.config);
        const result = await this.#turns.take(formatKey(key), () => this.#add(key, request, config));
        return formatResult(result, cniVersion);
      }
      case 'DEL':
        // Nothing else of the configuration is looked at: a mistake in it must not keep the Pod from going.
        return this.#turns.take(formatKey(key), () => this.#delete(key));
      case 'CHECK':
        return this.#check(key, request, parseConfig(request.config));
      case 'GC':
        return this.#collect(parseConfig(request.config));
      case 'STATUS':
        return this.#status();
      case 'VERSION':
        return versionResult(request.config);
    }
  }

  async #add(key: AttachmentKey, request: CniRequest, config: NetworkConfig): Promise<CniResult> {
    const { store, dataPath, clock, logger } = this.#deps;
    const node = this.#readyNode(CNI_CODES.tryAgainLater);
    const earlier = store.get(key);
    if (earlier !== undefined) {
      // The runtime asks again, not having had our answer: the same attachment, or what is left of it, anew.
      if (this.#isWhole(earlier, request, config)) return this.#result(earlier, config);
      await this.#detach(earlier);
    }
    if (config.portMappings.length > 0) requireFreePorts(config.portMappings, store.list());
    const attachment = store.reserve(
      {
        ...key,
        netns: request.netns,
        hostLink: hostLinkName(key),
        pod: podOf(request),
        portMappings: config.portMappings,
        ranges: node.ranges,
        fixed: config.ips,
      },
      clock.now(),
    );
    try {
      await dataPath.attach({
        attachment,
        addresses: this.#podAddresses(attachment.addresses),
        mac: config.mac ?? macOf(attachment.addresses),
        mtu: node.mtu,
        bandwidth: config.bandwidth,
      });
      if (attachment.portMappings.length > 0) await this.#reconcileHostPorts();
      store.complete(key);
    } catch (error) {
      await this.#detach(attachment);
      throw error;
    }
    logger.debug('CNI ADD', {
      attachment: formatKey(key),
      pod: attachment.pod,
      addresses: attachment.addresses,
    });
    return this.#result(attachment, config);
  }

  async #delete(key: AttachmentKey): Promise<undefined> {
    const attachment = this.#deps.store.get(key);
    // A link of ours without a record is possible after a state directory was lost.
    if (attachment === undefined) await this.#deps.dataPath.detach({ hostLink: hostLinkName(key) });
    else await this.#detach(attachment);
    return undefined;
  }

  /** @throws CniError 50 when no Pod can be added, 51 when those that are there cannot be reached either */
  #status(): undefined {
    const { store, dataPath } = this.#deps;
    const node = this.#readyNode(CNI_CODES.notAvailable);
    const [problem] = dataPath.checkNode();
    if (problem !== undefined)
      throw new CniError(CNI_CODES.limitedConnectivity, problem, {
        details: 'the agent makes it anew within seconds',
      });
    for (const ranges of node.ranges) store.requireRoom(ranges);
    return undefined;
  }

  async #check(key: AttachmentKey, request: CniRequest, config: NetworkConfig): Promise<undefined> {
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
      ...this.#deps.dataPath.check({
        attachment: { ...attachment, netns: request.netns },
        addresses: this.#podAddresses(attachment.addresses),
        mac: config.mac ?? macOf(attachment.addresses),
        bandwidth: config.bandwidth,
      }),
      ...(await this.#deps.hostPorts.check(attachment)),
    ];
    if (problems.length > 0)
      throw new CniError(CNI_CODES.checkFailed, `the attachment is not what ADD made: ${problems[0]}`, {
        details: problems.join('; '),
      });
    return undefined;
  }

  async #collect(config: NetworkConfig): Promise<undefined> {
    const valid = config.validAttachments;
    if (valid === undefined)
      throw new CniError(CNI_CODES.invalidConfig, 'cni.dev/valid-attachments: required for GC, and missing');
    const keep = new Set(
      valid.map(({ containerId, ifName }) => formatKey({ network: config.name, containerId, ifName })),
    );
    await this.#releaseAll(
      this.#deps.store.list(),
      'GC does not list it',
      (attachment) => attachment.network === config.name && !keep.has(formatKey(attachment)),
    );
    await this.#reconcileHostPorts();
    return undefined;
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

  #isWhole(attachment: Attachment, request: CniRequest, config: NetworkConfig): boolean {
    if (!attachment.complete || attachment.netns !== request.netns) return false;
    const addresses = this.#podAddresses(attachment.addresses);
    const mac = config.mac ?? macOf(attachment.addresses);
    const { bandwidth } = config;
    return this.#deps.dataPath.check({ attachment, addresses, mac, bandwidth }).length === 0;
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

  #podAddresses(addresses: readonly IpAddress[]): readonly PodAddress[] {
    const ranges = this.#node?.ranges.flat() ?? [];
    return addresses.flatMap((address) => {
      const range = ranges.find(({ prefix }) => prefixContains(prefix, address));
      return range === undefined ? [] : [{ address, gateway: range.gateway }];
    });
  }

  #result(attachment: Attachment, config: NetworkConfig): CniResult {
    const addresses = this.#podAddresses(attachment.addresses);
    const mac = config.mac ?? macOf(attachment.addresses);
    const mtu = this.#node?.mtu;
    const previous = config.prevResult ?? { interfaces: [], ips: [], routes: [], dns: {} };
    const first = previous.interfaces.length;
    return {
      interfaces: [
        ...previous.interfaces,
        { name: BRIDGE },
        { name: attachment.hostLink, ...(mtu !== undefined && { mtu }) },
        {
          name: attachment.ifName,
          ...(mac && { mac }),
          ...(mtu !== undefined && { mtu }),
          sandbox: attachment.netns,
        },
      ],
      ips: [
        ...previous.ips,
        ...addresses.map(({ address, gateway }) => ({
          address,
          prefixLength: address.includes(':') ? 128 : 32,
          gateway,
          interface: first + 2,
        })),
      ],
      routes: [
        ...previous.routes,
        ...addresses.map(({ gateway }) => ({ dst: defaultRoute(gateway), gw: gateway })),
      ],
      dns: Object.keys(config.dns).length > 0 ? config.dns : previous.dns,
    };
  }

  #readyNode(code: typeof CNI_CODES.tryAgainLater | typeof CNI_CODES.notAvailable): NodeNetwork {
    if (this.#node === undefined)
      throw new CniError(code, 'the node has no Pod CIDR yet', {
        details: 'the Podway agent waits for spec.podCIDRs of its Node; see its log',
      });
    return this.#node;
  }
}

function podOf({ args }: CniRequest): string | undefined {
  const namespace = args.get('K8S_POD_NAMESPACE');
  const name = args.get('K8S_POD_NAME');
  if (namespace === undefined || name === undefined) return undefined;
  const text = `${namespace}/${name}`;
  // It becomes a link's alias: the kernel takes 255 bytes. A Pod's name is a DNS name.
  return /^[a-z0-9-]{1,63}\/[a-z0-9.-]{1,253}$/.test(text) && text.length <= 220 ? text : undefined;
}

/** Specification section 2, VERSION: the version asked with, and those that are spoken. */
export function versionResult(config: string): object {
  const asked = /"cniVersion"\s*:\s*"([0-9.]{1,16})"/.exec(config)?.[1];
  return { cniVersion: asked ?? LATEST_CNI_VERSION, supportedVersions: CNI_VERSIONS };
}

function success(result: object | undefined): Outcome {
  return { exitStatus: 0, output: result === undefined ? '' : JSON.stringify(result) };
}

function asCniError(error: unknown): CniError {
  if (error instanceof CniError) return error;
  const isStore = error instanceof Error && 'errcode' in error;
  const what = isStore
    ? 'the agent cannot write its state'
    : error instanceof PodwayError
      ? 'the kernel refused'
      : 'internal error';
  return new CniError(isStore ? CNI_CODES.io : CNI_CODES.internal, `${what}: ${errorMessage(error)}`, {
    cause: error,
  });
}

function defaultRoute(gateway: IpAddress): IpPrefix {
  return parsePrefix(gateway.includes(':') ? '::/0' : '0.0.0.0/0');
}

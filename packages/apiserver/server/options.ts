import type { Clock, Logger, Random } from '#runtime';

export type Listen = { readonly fd: number } | { readonly address: string; readonly port: number };

/** PEM texts. */
export interface TlsOptions {
  readonly certificate: string;
  /** Also signs service account tokens. */
  readonly key: string;
  /** Clients with a certificate of this authority are let in. */
  readonly clientAuthority: string;
}

export interface ApiServerOptions {
  /** The database lies here; made when missing. */
  readonly stateDir: string;
  readonly listen: readonly Listen[];
  readonly tls: TlsOptions;
  /** Where nodes and Pods reach the server: the endpoint of Service default/kubernetes. None when absent. */
  readonly advertise?: { readonly address: string; readonly port: number };
  /** One a family; the first family is the default of Services. */
  readonly serviceCidrs: readonly string[];
  /** For the node address controller. */
  readonly podCidrs: readonly string[];
  /** Prefix length of a node's Pod CIDR, by position in podCidrs; 24 and 64 unless told. */
  readonly nodeCidrMaskSizes?: readonly number[];
  /** The address of Service kube-system/kube-dns: the tenth of the first Service range unless told. */
  readonly clusterDns?: string;
  /** The kubelet API's unix socket, for logs, exec, attach and port-forward. */
  readonly kubeletSocket?: string;
  /** Run the controllers inside the server. */
  readonly controllers?: boolean;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
}

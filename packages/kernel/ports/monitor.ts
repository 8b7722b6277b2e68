/** What a monitor can tell of. */
export type NetworkEventKind = 'link' | 'address' | 'route' | 'neighbour';

export type NetworkEvent =
  | {
      readonly kind: NetworkEventKind;
      readonly change: 'new' | 'del';
      /** 0 when the kernel names no link, as for a multipath route. */
      readonly ifindex: number;
    }
  | { readonly kind: 'overrun' };

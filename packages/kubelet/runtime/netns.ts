/** What the kubelet asks of network namespaces: the part of `#kernel` that it uses. */
export interface PodNetns {
  /** Runs `section` with the calling thread inside: synchronous. */
  run<T>(section: () => T): T;
}

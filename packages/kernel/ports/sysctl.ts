/**
 * Settings of the namespace (sysctl(8)). A key is written with dots, `net.ipv4.ip_forward`; a link's name in it that has dots
 * has slashes for them. `EINVAL` for what is no key.
 */
export interface SysctlPort {
  /** undefined: no such key. */
  get(key: string): string | undefined;
  /** `ENOENT`: no such key; `EINVAL`: a value that the kernel does not take. */
  set(key: string, value: string): void;
}

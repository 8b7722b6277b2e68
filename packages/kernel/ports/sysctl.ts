export interface SysctlPort {
  /** @param key as in sysctl(8): `net.ipv4.ip_forward`; a link name with dots is written with slashes for them. undefined: no such key */
  get(key: string): string | undefined;
  set(key: string, value: string): void;
}

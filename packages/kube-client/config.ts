/** How to reach one API server and who we are to it. Certificates and keys are PEM. */
export interface ClientConfig {
  /** `https://host:port`, possibly with a path in front of `/api`. */
  readonly server: string;
  readonly certificateAuthority?: string;
  /** Accept any server certificate. */
  readonly insecure?: boolean;
  /** The name that the server's certificate must bear, when it is not the host of `server`. */
  readonly tlsServerName?: string;
  readonly credentials: Credentials;
  /** The context's namespace; 'default' where it names none. */
  readonly namespace: string;
}

export interface Credentials {
  readonly certificate?: string;
  readonly key?: string;
  readonly token?: string;
  /** Read again every minute, since service account tokens rotate. Wins over `token`, as in client-go. */
  readonly tokenFile?: string;
  readonly username?: string;
  readonly password?: string;
}

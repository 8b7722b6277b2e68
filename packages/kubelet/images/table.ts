/** What stands for an image: a command of the host, or one of Podway's built-in servers. */
export interface ImageEntry {
  /** Normalised names without tag: `docker.io/library/nginx`. A `*` at the end stands for any rest. */
  readonly names: readonly string[];
  /** As a Dockerfile's ENTRYPOINT: kept when a Pod gives only `args`. */
  readonly entrypoint?: readonly string[];
  /** As a Dockerfile's CMD: what a Pod's `args` replace. */
  readonly cmd?: readonly string[];
  /** A server of `podway builtin NAME`, put before entrypoint and cmd. */
  readonly builtin?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly workingDir?: string;
  /** Files that the image brings along, by absolute path. */
  readonly files?: Readonly<Record<string, string>>;
  /** Commands that the image has under a name of its own: name -> command of the host; put first on the PATH. */
  readonly links?: Readonly<Record<string, string>>;
  /** The command that must be on the host, when it is not the entrypoint's or cmd's first word. */
  readonly requires?: string;
  /** The Debian package that brings it. */
  readonly package?: string;
}

/** What an entry may depend on. */
export interface ImageHost {
  /** Only one user exists: programs cannot change to another. */
  readonly singleUser: boolean;
  /** What the host's busybox can do and the host has no command for. */
  readonly busyboxApplets: readonly string[];
}

/** Commands that busybox images are used for, and that hosts may lack. */
const BUSYBOX_COMMANDS = ['wget', 'nslookup', 'telnet', 'traceroute', 'httpd', 'ping', 'nc', 'vi'];

const SHELL = { cmd: ['/bin/sh'], requires: 'sh', package: 'dash' } as const;

const NGINX_SERVER = `server {
    listen       80;
    server_name  localhost;

    location / {
        root   /usr/share/nginx/html;
        index  index.html index.htm;
    }

    error_page   500 502 503 504  /50x.html;
    location = /50x.html {
        root   /usr/share/nginx/html;
    }
}
`;

/** One configuration for a root with many users and for one with a single user, which cannot change the workers' user. */
const nginxConfig = (
  host: ImageHost,
): string => `${host.singleUser ? 'user root;\nmaster_process off;\n' : 'user www-data;\n'}\
worker_processes 1;
error_log /dev/stderr notice;
pid /run/nginx.pid;

events {
    worker_connections 1024;
}

http {
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    log_format main '$remote_addr - $remote_user [$time_local] "$request" '
                    '$status $body_bytes_sent "$http_referer" '
                    '"$http_user_agent" "$http_x_forwarded_for"';
    access_log /dev/stdout main;
    sendfile on;
    keepalive_timeout 65;
    client_body_temp_path /tmp/client_temp;
    proxy_temp_path /tmp/proxy_temp;
    fastcgi_temp_path /tmp/fastcgi_temp;
    uwsgi_temp_path /tmp/uwsgi_temp;
    scgi_temp_path /tmp/scgi_temp;
    include /etc/nginx/conf.d/*.conf;
}
`;

/** As the image runs it: open to the Pod network. Redis 7 lets replicas wait 5 s for others to join; 6.0 did not. */
const redis = [
  ...['--bind', '* -::*', '--protected-mode', 'no', '--dir', '/data'],
  ...['--repl-diskless-sync-delay', '0'],
];

/**
 * The image table: which image name runs what. Tags are not looked at, unless a built-in server reads them from
 * `PODWAY_IMAGE_TAG`. Users add their own with `--image IMAGE=COMMAND`.
 */
export const imageTable = (host: ImageHost): readonly ImageEntry[] => [
  {
    names: ['docker.io/library/nginx', 'registry.k8s.io/nginx*', 'docker.io/nginxinc/nginx-unprivileged'],
    cmd: ['nginx', '-g', 'daemon off;'],
    package: 'nginx-light',
    files: {
      '/etc/nginx/nginx.conf': nginxConfig(host),
      '/etc/nginx/conf.d/default.conf': NGINX_SERVER,
    },
  },
  {
    names: ['docker.io/library/redis', 'docker.io/bitnami/redis', 'registry.k8s.io/redis'],
    cmd: ['redis-server', ...redis],
    package: 'redis-server',
    workingDir: '/data',
  },
  {
    names: [
      'us-docker.pkg.dev/google-samples/containers/gke/gb-redis-follower',
      'gcr.io/google_samples/gb-redis-follower',
    ],
    cmd: ['redis-server', ...redis, '--replicaof', 'redis-leader', '6379'],
    package: 'redis-server',
    workingDir: '/data',
  },
  {
    names: [
      'docker.io/library/busybox',
      'registry.k8s.io/e2e-test-images/busybox',
      'gcr.io/google-containers/busybox',
    ],
    ...SHELL,
    links: Object.fromEntries(
      BUSYBOX_COMMANDS.filter((name) => host.busyboxApplets.includes(name)).map((name) => [name, 'busybox']),
    ),
  },
  {
    names: [
      'docker.io/library/alpine',
      'docker.io/library/debian',
      'docker.io/library/ubuntu',
      'docker.io/library/bash',
      'docker.io/nicolaka/netshoot',
    ],
    ...SHELL,
  },
  {
    names: ['docker.io/curlimages/curl', 'docker.io/radial/busyboxplus', 'docker.io/appropriate/curl'],
    entrypoint: ['curl'],
    cmd: ['--help'],
    package: 'curl',
  },
  {
    names: [
      'registry.k8s.io/e2e-test-images/jessie-dnsutils',
      'registry.k8s.io/e2e-test-images/dnsutils',
      'docker.io/tutum/dnsutils',
    ],
    cmd: ['sleep', 'infinity'],
    requires: 'dig',
    package: 'bind9-dnsutils',
  },
  {
    names: [
      'registry.k8s.io/e2e-test-images/agnhost',
      'k8s.gcr.io/e2e-test-images/agnhost',
      'us.gcr.io/k8s-artifacts-prod/e2e-test-images/agnhost',
    ],
    builtin: 'agnhost',
    cmd: ['pause'],
  },
  {
    names: [
      'registry.k8s.io/serve_hostname',
      'registry.k8s.io/serve-hostname',
      'gcr.io/kubernetes-e2e-test-images/serve-hostname',
    ],
    builtin: 'agnhost',
    cmd: ['serve-hostname'],
  },
  {
    names: [
      'gcr.io/google-samples/hello-app',
      'us-docker.pkg.dev/google-samples/containers/gke/hello-app',
      'us-docker.pkg.dev/cloudrun/container/hello',
    ],
    builtin: 'hello-app',
  },
  { names: ['registry.k8s.io/pause', 'k8s.gcr.io/pause'], cmd: ['sleep', 'infinity'], package: 'coreutils' },
];

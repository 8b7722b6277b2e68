import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';

const root = resolve(import.meta.dirname, '..');
const pages = globSync(['*.md', '{docs,packages,test,bench,tools,examples}/**/*.md'], { cwd: root });

/** Paths of other repositories, and those that stand for many. */
const ELSEWHERE = /^test\/e2e\/|NAME|\*/;

function missing(page: string): readonly string[] {
  const text = readFileSync(join(root, page), 'utf8');
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target.replace(/#.*/, ''));
  const own = links.filter((target) => target !== '' && !/^[a-z]+:/.test(target));
  const paths = [...text.matchAll(/`((?:packages|docs|test|tools|bench|examples)\/[\w./-]+)`/g)]
    .map(([, path = '']) => path)
    .filter((path) => !ELSEWHERE.test(path));
  return [
    ...own.filter((target) => !existsSync(join(root, dirname(page), target))),
    ...paths.filter((path) => !existsSync(join(root, path))),
  ];
}

test('documentation: what it links to and the paths it names are there', () => {
  assert.ok(pages.includes('README.md'));
  const found = pages.flatMap((page) => missing(page).map((target) => `${page}: ${target}`));
  assert.deepEqual(found, []);
});

/** Of 1.37 and, at the end, of 1.20: `kube-proxy --help`, those about its own log aside. */
const KUBE_PROXY_FLAGS =
  `bind-address bind-address-hard-fail cleanup cluster-cidr config config-sync-period conntrack-max-per-core
  conntrack-min conntrack-tcp-be-liberal conntrack-tcp-timeout-close-wait conntrack-tcp-timeout-established conntrack-udp-timeout
  conntrack-udp-timeout-stream detect-local-mode feature-gates healthz-bind-address hostname-override init-only
  iptables-localhost-nodeports iptables-masquerade-bit iptables-min-sync-period iptables-sync-period ipvs-exclude-cidrs
  ipvs-min-sync-period ipvs-scheduler ipvs-strict-arp ipvs-sync-period ipvs-tcp-timeout ipvs-tcpfin-timeout ipvs-udp-timeout
  kube-api-burst kube-api-content-type kube-api-qps kubeconfig masquerade-all master metrics-bind-address nodeport-addresses
  oom-score-adj pod-bridge-interface pod-interface-name-prefix profiling proxy-mode show-hidden-metrics-for-version version
  write-config-to proxy-port-range udp-timeout`.split(/\s+/);
/** Of KubeProxyConfiguration, `kube-proxy --write-config-to FILE`. */
const KUBE_PROXY_FIELDS =
  `bindAddress bindAddressHardFail clientConnection clusterCIDR configSyncPeriod maxPerCore min tcpBeLiberal
  tcpCloseWaitTimeout tcpEstablishedTimeout udpStreamTimeout udpTimeout detectLocal detectLocalMode enableProfiling featureGates
  healthzBindAddress hostnameOverride localhostNodePorts masqueradeAll masqueradeBit minSyncPeriod syncPeriod excludeCIDRs scheduler
  strictARP tcpFinTimeout tcpTimeout logging metricsBindAddress mode nodePortAddresses oomScoreAdj portRange
  showHiddenMetricsForVersion winkernel`.split(/\s+/);

test('proxy-modes.md: every flag and field of kube-proxy has its row', () => {
  const text = readFileSync(join(root, 'docs/operate/proxy-modes.md'), 'utf8');
  const named = new Set([...text.matchAll(/`([^`\s]+)`/g)].flatMap(([, code = '']) => code.split(/[.=]/)));
  assert.deepEqual(
    KUBE_PROXY_FLAGS.filter((flag) => !named.has(`--${flag}`)),
    [],
  );
  assert.deepEqual(
    KUBE_PROXY_FIELDS.filter((field) => !named.has(field)),
    [],
  );
});

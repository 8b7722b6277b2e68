export {
  type DnsPolicy,
  type PodDnsConfig,
  type PodResolvConf,
  parseResolvConf,
  podResolvConf,
  type ResolvConf,
  type ResolvConfContext,
} from './resolv-conf.ts';

import { FORWARD_POLICIES } from '#dns';
import { IPTABLES_VARIANT_CHOICES, IPVS_SCHEDULERS, PROXY_MECHANISMS } from '#service-proxy';

export const AGENT_HELP = `podway agent: the network of one node. Keeps routes to other nodes' Pods, the rules of Services and cluster DNS
as the Kubernetes API says, and attaches Pods when the container runtime asks through CNI. Needs root, or a user
namespace with a network namespace of its own. Ending it stops no traffic.

  podway agent --node-name NAME --cluster-cidr CIDR --service-cidr CIDR --cluster-dns IP [OPTION ...]

What this node is
  --node-name NAME        the name of its Node object
  --kubeconfig FILE       how to reach the API server; without it, as a Pod with a service account
What the cluster is (dual stack: two values with a comma, IPv4 or IPv6 first)
  --cluster-cidr CIDR     the addresses of all nodes' Pods, as 10.244.0.0/16
  --service-cidr CIDR     the addresses of Services, as 10.96.0.0/16
  --cluster-dns IP        where Pods ask for names, as 10.96.0.10
  --cluster-domain NAME   what the cluster's names end in [cluster.local]
How
  --pod-network host-gw   routes via the other nodes' addresses; all nodes on one link [host-gw]
  --proxy ${[...PROXY_MECHANISMS, 'none'].join('|')}
                          what carries Services; none: somebody else [nftables]. A restart with another one switches while traffic goes on
  --iptables-variant ${IPTABLES_VARIANT_CHOICES.join('|')}
                          which of its two kernel interfaces --proxy iptables uses; auto: the one that is in use here [auto]
  --nodeport-addresses X  which of the node's addresses answer on NodePorts: primary, all, localhost, or CIDRs with commas [primary]
  --ipvs-scheduler NAME   with --proxy ipvs, for Services without the annotation podway.io/ipvs-scheduler [rr]:
                          ${IPVS_SCHEDULERS.join(' ')}
  --ipvs-grace-period T   connections to an endpoint that is gone may go on so long: 30s, 15m, 1h [15m]
  --ipvs-strict-arp       answer no ARP for Services' addresses, as load balancers on the nodes' link need it
  --ipvs-direct-routing   packets reach endpoints unchanged where these share a link, have the Service's port and hold its address
  --ipvs-tcp-timeout T, --ipvs-tcpfin-timeout T, --ipvs-udp-timeout T   after which silent connections are forgotten
                          [the kernel's: 15m, 2m, 5m]
  --no-masquerade         Pods' packets leave the cluster with the Pods' own addresses
  --dns-upstreams LIST    who is asked for names outside the cluster: 192.0.2.53, tls://192.0.2.53#NAME, or /etc/resolv.conf
                          for those that file names; none: such names do not exist
  --dns-policy ${FORWARD_POLICIES.join('|')}   which of them is asked first [random]
  --dns-stub-domains LIST who is asked for the names of a domain: corp.example=192.0.2.53,…
  --dns-hosts FILE        names and addresses as in /etc/hosts, before all else
  --dns-ttl SECONDS       of the cluster's names [5]
  --dns-pods disabled|insecure|verified   names of Pods' addresses [insecure]; verified watches all Pods
  --dns-autopath          answer a Pod's first question with what its search list finds; watches all Pods
  --dns-transfer-to CIDR,…  who may have all of the cluster's names at once, by AXFR; none: nobody
  --dns-log-queries PART  log this part of the queries, 0 to 1, with the Pods that ask; watches all Pods
Where (directories are made)
  --run-dir DIR           the CNI socket, agent.sock [/run/podway]
  --state-dir DIR         which Pod has which address; must outlive the agent [/var/lib/podway]
  --cni-conf-dir DIR      where 10-podway.conflist goes, once the node can take Pods [/etc/cni/net.d]
  --cni-bin-dir DIR       where the plugin's executable goes [/opt/cni/bin]
  --health-address IP:PORT   /healthz and /livez; port 0: none [0.0.0.0:10256]
  --metrics-address IP:PORT  /metrics; port 0: none [127.0.0.1:10249]
  --log-level debug|info|warn|error   [info]
Instead of running
  --probe                 say which ways to carry Services this machine has, and what the others lack; with --proxy, whether
                          it has that one, with the exit status as well
  --cleanup               remove all that Podway made on this node, and nothing else; Pods lose their network. Needs no other
                          flag, but those under Where that the agent ran with
  --help

Examples
  podway agent --probe
  podway agent --probe --proxy ipvs --ipvs-scheduler mh
  podway agent --cleanup
  podway agent --node-name $(hostname) --kubeconfig /etc/podway/kubeconfig --cluster-cidr 10.244.0.0/16 \\
    --service-cidr 10.96.0.0/16 --cluster-dns 10.96.0.10 --dns-upstreams /etc/resolv.conf
`;

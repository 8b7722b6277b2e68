#!/bin/sh
# The first process of the virtual machine: mounts what a Linux system has, runs the command that the directory it lies in
# names, and switches off. In that directory:
#   writable  directories of the host that may be written to, one a line
#   command   environment (NAME=VALUE …) and command, each word ended by a NUL
#   tools     modprobe and busybox, a line each
#   status    written at the end: the command's exit status
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
here=${0%/*}
{ read -r modprobe && read -r busybox; } <"$here/tools"

mount -t proc proc /proc
mount -t sysfs sysfs /sys
while read -r directory; do mount --bind "$directory" "$directory"; done <"$here/writable"
mount -o remount,bind,ro /
mount -t tmpfs tmpfs /run
mkdir -p /dev/shm /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t devpts -o ptmxmode=666 devpts /dev/pts
mount -t cgroup2 cgroup2 /sys/fs/cgroup
for link in fd:fd stdin:fd/0 stdout:fd/1 stderr:fd/2; do ln -sfn "/proc/self/${link#*:}" "/dev/${link%%:*}"; done

echo "$modprobe" >/proc/sys/kernel/modprobe
# A namespace made before ip_vs is loaded has no net.ipv4.vs.*, and one made before br_netfilter has bridges whose frames pass by
# conntrack, unlike those of a node. Of the others, those that every lab needs: asked for one by one, by several agents at once, they
# would be seconds of each run. The rest is loaded when it is asked for.
"$modprobe" -q -a ip_vs ip_vs_rr nf_conntrack_netlink br_netfilter veth dummy ifb overlay \
  nft_chain_nat nft_ct nft_fib_inet nft_fib_ipv4 nft_fib_ipv6 nft_hash nft_masq nft_nat nft_numgen nft_reject_ipv4 nft_reject_ipv6
ip link set lo up
hostname vm
ulimit -n 65536

# The host reads the serial line: bytes as they are, and all of them before the machine goes. In a PID namespace of its own the command takes
# with it what it left running, which would hold the output open for ever.
stty -F /dev/ttyS0 raw -echo
unshare --pid --fork --mount-proc \
  sh -c 'xargs -0 -x -n 100000 -a "$1" env -i; exit' first "$here/command" </dev/null 2>&1 | cat >/dev/ttyS0
stty -F /dev/ttyS0 raw -echo
sync
exec "$busybox" poweroff -f

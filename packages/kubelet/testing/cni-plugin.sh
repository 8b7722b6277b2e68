#!/bin/sh
# A CNI plugin for tests: gives each sandbox an eth0 (a bridge, which every kernel has) with the next address of 10.9.0.0/24.
# STATE holds the counter and the trace of calls; a file STATE/fail makes ADD fail.
set -eu
state=${0%/*}/state
mkdir -p "$state"
input=$(cat)
echo "$CNI_COMMAND ${CNI_CONTAINERID:-} ${CNI_ARGS:-}" >>"$state/calls"
case $CNI_COMMAND in
ADD)
  if [ -e "$state/fail" ]; then
    echo '{"cniVersion":"1.1.0","code":11,"msg":"try again later"}'
    exit 1
  fi
  n=$(cat "$state/count" 2>/dev/null || echo 1)
  n=$((n + 1))
  echo "$n" >"$state/count"
  nsenter --net="$CNI_NETNS" ip link add eth0 type bridge
  nsenter --net="$CNI_NETNS" ip link set eth0 up
  nsenter --net="$CNI_NETNS" ip address add "10.9.0.$n/24" dev eth0
  echo "{\"cniVersion\":\"1.1.0\",\"ips\":[{\"address\":\"10.9.0.$n/24\"}]}"
  ;;
DEL)
  case $input in *prevResult*) echo "DEL with prevResult" >>"$state/calls" ;; esac
  ;;
STATUS | VERSION) ;;
esac

# shellcheck shell=bash
# What the scripts beside this one share. A node lives in namespaces of its own (network, mounts, processes),
# held by one process: killing that one ends every process of the node, and the kernel takes back its mounts,
# links, addresses and iptables rules. Only its cgroups and its folder are left, for `forget_node`.
# shellcheck disable=SC2034  # used by those that source this
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/panorec-cluster
default_state=${XDG_STATE_HOME:-$HOME/.local/state}/panorec-cluster
bin=$cache/bin
export PATH=$bin:$PATH CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS=1

first=panorec-test      # the node that also runs the control plane
outside=10.231.0.1      # the host's end of the link to it
inside=10.231.0.2       # its own end
dns=10.96.0.10
own_folders=(/run /var/log /var/lib/cni /var/lib/kubelet) # the node's programs write there whatever they are told

fail() { echo "cluster: $*" >&2; exit 1; }

until_true() { # seconds command…
  local deadline=$((SECONDS + $1)); shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $deadline ] || { echo "cluster: gave up waiting for: $*" >&2; return 1; }
    sleep 0.05
  done
}

is_ours() { # the state folder was made by `up`, so it may be removed
  [ -f "$state/.panorec-cluster" ]
}

# --- the namespaces of one node; its folder is $state/nodes/NAME ---

started_at() { # pid -> the kernel's start time of that process, which no later process with this pid has
  local stat; stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  awk '{ print $20 }' <<<"${stat##*) }"
}

# Writes its pid before it makes anything, so that a node whose `up` was killed can still be found.
hold() { # node [--net]
  local dir=$state/nodes/$1; shift
  mkdir -p "$dir"
  # shellcheck disable=SC2016
  setsid bash -c '
    stat=$(cat /proc/$$/stat); set -- "$@"; read -ra fields <<<"${stat##*) }"
    echo "$$ ${fields[19]}" >"$0"
    exec "$@"' "$dir/holder" \
    unshare "$@" --mount --propagation private --pid --fork --mount-proc --kill-child "$bin/pause" </dev/null >/dev/null 2>&1 &
  disown
  until_true 10 held_by "${dir##*/}" || fail "could not make the namespaces of ${dir##*/}"
}

holder() { # node -> pid of its `unshare`, if it still is that process
  local pid began
  read -r pid began 2>/dev/null <"$state/nodes/$1/holder" || return 1
  [ "$(started_at "$pid")" = "$began" ] && echo "$pid"
}

held_by() { # node -> pid of the first process in its namespaces
  local pid child
  pid=$(holder "$1") || return 1
  child=$(cat "/proc/$pid/task/$pid/children" 2>/dev/null) child=${child% }
  [ -n "$child" ] && [ "$(readlink "/proc/$child/exe")" = "$(realpath "$bin/pause")" ] && echo "$child"
}

enter() { # node command…
  local pid; pid=$(held_by "$1") || fail "node $1 is not up"; shift
  nsenter --target "$pid" --net --mount --pid "$@"
}

start() { # node service command…: its output goes to the node's log folder, its pid (as the node sees it) to SERVICE.pid
  local node=$1 service=$2; shift 2
  # shellcheck disable=SC2016
  enter "$node" sh -c 'log=$0 pid=$1; shift; setsid "$@" </dev/null >>"$log" 2>&1 & echo $! >"$pid"' \
    "$state/log/$node-$service.log" "$state/nodes/$node/$service.pid" "$@"
}

release() { # node: ends every process in its namespaces
  local pid inner
  pid=$(holder "$1") || return 0
  inner=$(held_by "$1" || echo "$pid")
  kill -KILL "$pid"
  # The first process of a pid namespace goes last.
  until_true 20 gone "$pid" && until_true 20 gone "$inner"
}
gone() { ! [ -d "/proc/$1" ]; }

forget_node() { # node
  release "$1"
  remove_cgroups "$1"
  rm -rf --one-file-system "${state:?}/nodes/$1"
}

# --- cgroups: both versions; the kubelet wants its root to be there in every hierarchy ---

cgroup_roots() {
  if [ -f /sys/fs/cgroup/cgroup.controllers ]; then echo /sys/fs/cgroup
  else find /sys/fs/cgroup -mindepth 1 -maxdepth 1 -type d; fi
}

make_cgroups() { # node
  local root file
  if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    sed 's/\(^\| \)/ +/g' /sys/fs/cgroup/cgroup.controllers >/sys/fs/cgroup/cgroup.subtree_control
  fi
  for root in $(cgroup_roots); do
    mkdir -p "$root/panorec-cluster-$1"
    for file in cpuset.cpus cpuset.mems; do # version 1: empty until somebody fills them in
      if [ -f "$root/$file" ]; then cat "$root/$file" >"$root/panorec-cluster-$1/$file"; fi
    done
  done
}

remove_cgroups() { # node
  local root
  for root in $(cgroup_roots); do
    [ -d "$root/panorec-cluster-$1" ] || continue
    until_true 10 find "$root/panorec-cluster-$1" -depth -type d -exec rmdir {} + || return
  done
}

# --- an added node's link to the first one: 10.231.0.4n/30, its pods 10.244.n.0/24 ---

number() { cat "$state/nodes/$1/number"; }
near_end() { echo "10.231.0.$((4 * $(number "$1") + 1))"; } # the first node's
far_end() { echo "10.231.0.$((4 * $(number "$1") + 2))"; }
pod_range() { echo "10.244.$(number "$1").0/24"; }

connect() { # node; a link that goes down takes its routes with it
  enter "$first" sh -c "ip link set $1 up; ip route replace $(pod_range "$1") via $(far_end "$1")"
}

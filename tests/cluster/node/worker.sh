# shellcheck shell=bash
# The part of a node that runs pods: containerd, kubelet, kube-proxy. Sourced after lib.sh.

settle() { # node that was just made: an empty folder of its own for each of these
  enter "$1" sh -c 'mkdir -p "$@"; for dir; do mount -t tmpfs node "$dir"; done' sh "${own_folders[@]}"
  # A connection whose other end vanished would keep the network namespace for minutes after everybody left it.
  enter "$1" sh -c 'echo 1 >/proc/sys/net/ipv4/tcp_orphan_retries; echo 1 >/proc/sys/net/ipv4/tcp_fin_timeout'
}

kubeconfig() { # certificate server output
  cat >"$3" <<Y
apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "$2", certificate-authority-data: $(base64 -w0 "$state/pki/ca.crt")}}]
users: [{name: user, user: {client-certificate-data: $(base64 -w0 "$state/pki/$1.crt"), client-key-data: $(base64 -w0 "$state/pki/$1.key")}}]
contexts: [{name: test, context: {cluster: test, user: user}}]
current-context: test
Y
}

issue() { # name subject [alternative names]
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
    -CA "$state/pki/ca.crt" -CAkey "$state/pki/ca.key" -subj "$2" -addext "subjectAltName=${3:-DNS:localhost}" \
    -addext extendedKeyUsage=serverAuth,clientAuth -addext basicConstraints=CA:FALSE \
    -keyout "$state/pki/$1.key" -out "$state/pki/$1.crt" 2>>"$state/log/openssl.log"
}

prepare_worker() { # node address pods (CIDR): all that needs no API server
  local node=$1 address=$2 pods=$3
  local dir=$state/nodes/$node server=https://$inside:6443
  mkdir -p "$dir"/{cni,kubelet/seccomp} "$cache/containerd/$node"
  cp "$here/../../../charts/panorec/files/seccomp.json" "$dir/kubelet/seccomp/panorec.json"
  issue "$node" "/O=system:nodes/CN=system:node:$node" "DNS:$node,IP:127.0.0.1,IP:$address"
  kubeconfig "$node" "$server" "$dir/kubelet.kubeconfig"
  kubeconfig proxy "$server" "$dir/proxy.kubeconfig"
  make_cgroups "$node"
  start_containerd "$node" "$pods"
}

start_worker() { # node address
  start_kubelet "$1" "$2"
  start_proxy "$1"
  KUBECONFIG=$state/admin.kubeconfig until_true 60 kubectl wait --for=condition=Ready "node/$1" --timeout=1s
}

# The images stay in the cache from one cluster to the next: unpacking 1.2 GB takes half a minute.
start_containerd() { # node pods
  local node=$1 pods=$2
  local dir=$state/nodes/$node left
  # ptp, not bridge: between two pods of one bridge, answers would pass by the Services' rules.
  cat >"$dir/cni/10-pods.conflist" <<Y
{"cniVersion": "1.0.0", "name": "pods", "plugins": [
  {"type": "ptp", "ipam": {"type": "host-local", "ranges": [[{"subnet": "$pods"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
Y
  # restrict_oom_score_adj: without CAP_SYS_RESOURCE runc ends with "can't get final child's PID from pipe".
  cat >"$dir/containerd.toml" <<Y
version = 3
root = "$cache/containerd/$node"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = "$dir/containerd.sock"
[ttrpc]
  address = "/run/containerd/ttrpc.sock"
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "localhost/pause:test"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
[plugins."io.containerd.cri.v1.runtime".containerd]
  default_runtime_name = "runc"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
    SystemdCgroup = false
    BinaryName = "$bin/runc"
[plugins."io.containerd.cri.v1.runtime".cni]
  bin_dirs = ["/usr/lib/cni"]
  conf_dir = "$dir/cni"
Y
  start "$node" containerd containerd -c "$dir/containerd.toml"
  until_true 20 node_ctr "$node" version
  mapfile -t left < <(node_ctr "$node" containers ls -q)
  if [ ${#left[@]} -gt 0 ]; then # of a cluster before this one; containerd has read them by now
    node_ctr "$node" containers rm "${left[@]}" >/dev/null
    enter "$node" sh -c "kill $(cat "$dir/containerd.pid"); while kill -0 $(cat "$dir/containerd.pid") 2>/dev/null; do sleep 0.05; done"
    start "$node" containerd containerd -c "$dir/containerd.toml"
    until_true 20 node_ctr "$node" version
  fi
  import_pause "$node"
  import_panorec "$node"
}

node_ctr() { # node ctr's arguments
  local node=$1; shift
  ctr -a "$state/nodes/$node/containerd.sock" -n k8s.io "$@"
}

start_kubelet() { # node address
  local node=$1 address=$2
  local dir=$state/nodes/$node
  echo 'nameserver 127.0.0.1' >"$dir/resolv.conf"
  # A lost node shows after 10 s (controller manager); images are never collected: nobody could pull them again.
  cat >"$dir/kubelet.yaml" <<Y
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupRoot: /panorec-cluster-$node
failSwapOn: false
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $state/pki/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $state/pki/$node.crt
tlsPrivateKeyFile: $state/pki/$node.key
clusterDNS: [$dns]
clusterDomain: cluster.local
resolvConf: $dir/resolv.conf
containerRuntimeEndpoint: unix://$dir/containerd.sock
podLogsDir: $dir/podlogs
volumePluginDir: $dir/volume-plugins
seccompDefault: true
nodeStatusUpdateFrequency: 2s
nodeLeaseDurationSeconds: 8
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%}
Y
  start "$node" kubelet kubelet --config="$dir/kubelet.yaml" --kubeconfig="$dir/kubelet.kubeconfig" \
    --hostname-override="$node" --root-dir="$dir/kubelet" --cert-dir="$dir/kubelet/pki" --node-ip="$address"
}

start_proxy() { # node
  cat >"$state/nodes/$1/proxy.yaml" <<Y
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clientConnection: {kubeconfig: $state/nodes/$1/proxy.kubeconfig}
hostnameOverride: $1
clusterCIDR: 10.244.0.0/16
conntrack: {maxPerCore: 0}
Y
  start "$1" proxy kube-proxy --config="$state/nodes/$1/proxy.yaml"
}

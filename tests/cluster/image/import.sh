# shellcheck shell=bash
# Puts images into a node's containerd. Sourced after lib.sh and worker.sh.
#
# An image goes in as a tar in the OCI image layout. Two facts make that quick and small:
# containerd keeps the name that the annotation io.containerd.image.name gives; and a layer that it has
# already need not be in the tar. So a new panorec is a tar of its one layer, not of Debian's 1.2 GB.
images=$cache/image # what build made: base.tar (a link to the newest base-KEY.tar), app.tar

layer() { # tar file -> its digest and size; the digest is kept beside it
  [ "$1.sha256" -nt "$1" ] || sha256sum "$1" | cut -d' ' -f1 >"$1.sha256"
  echo "$(cat "$1.sha256") $(stat -Lc %s "$1")"
}

image_tar() { # name, config (JSON), layer files; one with a leading "-" is known to containerd and left out
  local name=$1 config=$2 dir digest size ids='' layers='' file; shift 2
  dir=$(mktemp -d)
  mkdir -p "$dir/blobs/sha256"
  for file in "$@"; do
    read -r digest size < <(layer "${file#-}")
    ids+=",\"sha256:$digest\""
    layers+=",$(descriptor application/vnd.oci.image.layer.v1.tar "$digest" "$size")"
    [ "${file#-}" != "$file" ] || ln -s "$(realpath "$file")" "$dir/blobs/sha256/$digest"
  done
  echo "{\"architecture\":\"$(dpkg --print-architecture)\",\"os\":\"linux\",\"config\":$config,\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[${ids#,}]}}" >"$dir/config"
  echo "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":$(blob "$dir/config" application/vnd.oci.image.config.v1+json),\"layers\":[${layers#,}]}" >"$dir/manifest"
  echo "{\"schemaVersion\":2,\"manifests\":[$(blob "$dir/manifest" application/vnd.oci.image.manifest.v1+json ",\"annotations\":{\"io.containerd.image.name\":\"$name\"}")]}" >"$dir/index.json"
  echo '{"imageLayoutVersion":"1.0.0"}' >"$dir/oci-layout"
  tar -C "$dir" -ch oci-layout index.json blobs
  rm -r "$dir"
}
blob() { # file media-type [more fields]: moves it to its place
  local digest size
  digest=$(sha256sum "$1" | cut -d' ' -f1) size=$(stat -c %s "$1")
  mv "$1" "${1%/*}/blobs/sha256/$digest"
  descriptor "$2" "$digest" "$size" "${3:-}"
}
descriptor() { echo "{\"mediaType\":\"$1\",\"digest\":\"sha256:$2\",\"size\":$3${4:-}}"; }

has_image() { node_ctr "$1" images ls -q | grep -qxF "$2"; } # node name

take() { node_ctr "$1" images import - >/dev/null; } # node; the tar comes on standard input

import_pause() { # node
  has_image "$1" localhost/pause:test && return
  tar -C "$bin" -chf "$state/pause.tar" pause
  image_tar localhost/pause:test '{"Entrypoint":["/pause"],"User":"65535:65535"}' "$state/pause.tar" | take "$1"
}

import_panorec() { # node; nothing to do before the first build
  local node=$1 base name old
  [ -f "$images/app.tar" ] || return 0
  base=$(realpath "$images/base.tar")
  name=localhost/panorec-base:$(basename "$base" .tar)
  if ! has_image "$node" "$name"; then
    echo "cluster: unpacking the base image on $node (half a minute)" >&2
    image_tar "$name" '{}' "$base" | take "$node"
    for old in $(node_ctr "$node" images ls -q | grep '^localhost/panorec-base:' | grep -vxF "$name"); do
      node_ctr "$node" images rm "$old" >/dev/null
    done
  fi
  image_tar localhost/panorec:test '{"Entrypoint":["/usr/bin/panorec"],"User":"10001:10001","Env":["PATH=/usr/bin:/bin","HOME=/tmp"]}' \
    "-$base" "$images/app.tar" | take "$node"
  forget_old_images "$node"
}

# The kubelet's view of an image is a name of its own, sha256:…; it outlives the name that we moved to a newer one.
forget_old_images() { # node
  local old
  old=$(node_ctr "$1" images ls | awk 'NR > 1 && $1 !~ /^sha256:/ { named[$3] } $1 ~ /^sha256:/ { ours[$1] = $3 }
    END { for (name in ours) if (!(ours[name] in named)) print name }')
  # shellcheck disable=SC2086  # one word a name
  [ -z "$old" ] || node_ctr "$1" images rm $old >/dev/null
}

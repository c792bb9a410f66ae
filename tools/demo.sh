#!/usr/bin/env bash
# The main job, shown: a base image out of Debian packages, one Dockerfile built for two architectures into an OCI
# layout and into a real registry, and both programs run. As root or as an ordinary user.
#   demo.sh SLIPWAY
# SLIPWAY_DEMO_PORT: the registry's port on loopback; otherwise 5000 if that is free, else any that is.
set -euo pipefail
slipway="$(realpath "$1")"
here="$(cd "$(dirname "$0")/.." && pwd)"
platforms=linux/amd64,linux/arm64
work="$(mktemp -d)"
registry=
export SLIPWAY_ROOT="${SLIPWAY_ROOT:-$here/build/demo-store}"

finish() {
  [ -z "$registry" ] || kill "$registry" 2>/dev/null || true
  chmod -R u+rwx "$work" && rm -rf "$work"
}
trap finish EXIT

die() {
  echo "demo: $*" >&2
  exit 1
}

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }

# The first free one of the ports named; 0 stands for any.
free_port() {
  python3 - "$@" <<'PY'
import socket, sys
for port in map(int, sys.argv[1:]):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError:
            continue
        print(probe.getsockname()[1])
        break
PY
}

start_registry() {
  if [ -n "${SLIPWAY_DEMO_PORT:-}" ]; then
    port="$(free_port "$SLIPWAY_DEMO_PORT")"
    [ -n "$port" ] || die "port $SLIPWAY_DEMO_PORT of SLIPWAY_DEMO_PORT is taken"
  else
    port="$(free_port 5000 0)" # Debian's docker-registry package may run as a service on 5000
  fi
  cat >"$work/registry.yml" <<YML
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $work/registry}}
http: {addr: 127.0.0.1:$port}
YML
  docker-registry serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
  registry=$!
  local listening=no attempt
  for attempt in $(seq 100); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then listening=yes; fi
    # Whoever listens, it must be ours.
    kill -0 "$registry" 2>/dev/null || { cat "$work/registry.log" >&2; die "docker-registry ended"; }
    [ $listening = no ] || return 0
    sleep 0.1
  done
  cat "$work/registry.log" >&2
  die "docker-registry does not listen on 127.0.0.1:$port"
}

base() {
  local name="$1"
  shift
  if "$slipway" images | grep -q "^$name "; then return; fi
  "$slipway" bootstrap debian --suite bookworm --platform $platforms --extract-only "$@" -t "$name"
}

# unpack ARCH: the image's files of one architecture, in $work/bundle-ARCH/rootfs.
unpack() {
  local arch="$1" rootless=()
  [ "$(id -u)" = 0 ] || rootless=(--rootless)
  skopeo --override-arch "$arch" copy --quiet "oci:$work/layout:1" "oci:$work/one-$arch:1"
  umoci unpack "${rootless[@]}" --image "$work/one-$arch:1" "$work/bundle-$arch" >"$work/umoci.log" 2>&1 ||
    { cat "$work/umoci.log" >&2; die "umoci could not unpack the image"; }
}

# in_root DIR PROGRAM: with DIR as its root; an ordinary user has that right in a user namespace.
in_root() {
  if [ "$(id -u)" = 0 ]; then chroot "$@"; else unshare --map-root-user chroot "$@"; fi
}

run_hello() {
  local arch="$1" root="$work/bundle-$1/rootfs" hello=/usr/local/bin/hello
  # e_machine of the ELF header: 62 is x86-64, 183 is AArch64.
  printf '%s  ELF machine %s  ' "$arch" "$(od -An -tu2 -j18 -N2 "$root$hello" | tr -d ' ')"
  case "$arch-$(uname -m)" in
    amd64-x86_64 | arm64-aarch64) in_root "$root" $hello ;;
    arm64-*) qemu-aarch64-static -L "$root" "$root$hello" ;;
    *) qemu-x86_64-static -L "$root" "$root$hello" ;;
  esac
}

start_registry
image="127.0.0.1:$port/demo/hello:1"

say "base images out of Debian packages, for $platforms"
base debian-gcc:bookworm --include gcc,libc6-dev
base debian-small:bookworm

say "one build, two architectures, into an OCI layout"
"$slipway" build --platform $platforms -t "$image" --output "type=oci,dest=$work/layout,tar=false" "$here/examples/hello-c"

say "again, into a registry: every step is known"
"$slipway" build --platform $platforms -t "$image" --push "$here/examples/hello-c"

say "what the registry holds"
skopeo inspect --raw --tls-verify=false "docker://$image" | python3 -m json.tool

say "and the programs"
for arch in amd64 arm64; do
  unpack $arch
  run_hello $arch
done

#!/usr/bin/env bash
# The main job, shown: a base image out of Debian packages, one Dockerfile built for two architectures into an OCI
# layout and into a real registry, and both programs run.
#   demo.sh SLIPWAY [REGISTRY-PORT]
set -euo pipefail
slipway="$(realpath "$1")"
port="${2:-5000}"
here="$(cd "$(dirname "$0")/.." && pwd)"
platforms=linux/amd64,linux/arm64
image="127.0.0.1:$port/demo/hello:1"
work="$(mktemp -d)"
export SLIPWAY_ROOT="${SLIPWAY_ROOT:-$here/build/demo-store}"

cat >"$work/registry.yml" <<YML
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $work/registry}}
http: {addr: 127.0.0.1:$port}
YML
docker-registry serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
registry=$!
trap 'kill $registry 2>/dev/null; rm -rf "$work"' EXIT
for _ in $(seq 100); do
  (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
  kill -0 $registry 2>/dev/null || { cat "$work/registry.log" >&2; exit 1; }
  read -r -t 0.1 <> <(:) || true
done

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }

have() { "$slipway" images | grep -q "^$1 "; }

say "base images out of Debian packages, for $platforms"
have debian-gcc:bookworm ||
  "$slipway" bootstrap debian --suite bookworm --platform $platforms --extract-only --include gcc,libc6-dev -t debian-gcc:bookworm
have debian-small:bookworm ||
  "$slipway" bootstrap debian --suite bookworm --platform $platforms --extract-only -t debian-small:bookworm

say "one build, two architectures, into an OCI layout"
"$slipway" build --platform $platforms -t "$image" --output "type=oci,dest=$work/layout,tar=false" "$here/examples/hello-c"

say "again, into a registry: every step is known"
"$slipway" build --platform $platforms -t "$image" --push "$here/examples/hello-c"

say "what the registry holds"
skopeo inspect --raw --tls-verify=false "docker://$image" | python3 -m json.tool

say "and the programs"
for arch in amd64 arm64; do
  skopeo copy --quiet --override-arch $arch "oci:$work/layout:1" "oci:$work/one-$arch:1"
  umoci unpack --image "$work/one-$arch:1" "$work/bundle-$arch" >/dev/null 2>&1
  hello="$work/bundle-$arch/rootfs/usr/local/bin/hello"
  root="$work/bundle-$arch/rootfs"
  # e_machine of the ELF header: 62 is x86-64, 183 is AArch64.
  printf '%s  ELF machine %s  ' "$arch" "$(od -An -tu2 -j18 -N2 "$hello" | tr -d ' ')"
  case "$arch-$(uname -m)" in
    amd64-x86_64 | arm64-aarch64) chroot "$root" /usr/local/bin/hello ;;
    arm64-*) qemu-aarch64-static -L "$root" "$hello" ;;
    *) qemu-x86_64-static -L "$root" "$hello" ;;
  esac
done

#!/bin/sh
# busybox_base.sh DIR [ARCH...]: puts a static busybox for each Debian architecture at DIR/ARCH/busybox, from which tests
# make base images of one megabyte. Uses apt with lists and a cache of its own; the machine's own are not touched.
# Ends with 77 (skipped) if the packages cannot be had.
set -eu
dir=$1
shift
[ $# -gt 0 ] || set -- amd64 arm64 armhf i386 ppc64el s390x

missing=
for arch in "$@"; do
  [ -x "$dir/$arch/busybox" ] || missing="$missing $arch"
done
[ -n "$missing" ] || exit 0
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || { echo "apt is not here" >&2; exit 77; }
mkdir -p "$dir" 2>/dev/null && [ -w "$dir" ] || { echo "cannot write to $dir" >&2; exit 77; }

# Others may be at it at the same time: each works in a folder of its own, the last step is a rename.
work=$(mktemp -d "$dir/.busybox-XXXXXX")
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"

status=0
for arch in $missing; do
  apt=$work/apt-$arch
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$work/$arch"
  set -- -qq -o APT::Architecture="$arch" -o APT::Architectures::="$arch" -o Dir::State::Lists="$apt/lists" \
    -o Dir::Cache="$apt/cache" -o Dir::State::status=/dev/null -o APT::Sandbox::User=
  if [ "$arch" = riscv64 ]; then  # a port of Debian from trixie on
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${DEBIAN_MIRROR:-http://deb.debian.org/debian} trixie main" \
      >"$apt/sources.list"
    set -- "$@" -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=-
  fi
  # A mirror in the middle of its update may lack a list that is not needed here: only the download counts.
  apt-get "$@" update >"$work/log" 2>&1 || true
  if ! (cd "$work/$arch" && apt-get "$@" download "busybox-static:$arch") >>"$work/log" 2>&1; then
    cat "$work/log" >&2
    status=77
    continue
  fi
  dpkg-deb -x "$work/$arch"/*.deb "$work/$arch/root"
  program=$work/$arch/root/bin/busybox
  [ -e "$program" ] || program=$work/$arch/root/usr/bin/busybox
  mkdir -p "$dir/$arch"
  chmod 755 "$dir/$arch" "$program"
  mv -f "$program" "$dir/$arch/busybox"
done
exit $status

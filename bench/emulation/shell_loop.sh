#!/bin/sh
# shell_loop.sh [CACHE [ROUNDS]]: CPU seconds of ROUNDS x `echo abc | sed s/a/b/ | grep -q b` in a shell, natively and under
# each of the machine's emulators, with the busybox of tests/support/test_bases.sh. Four programs start in a round, which is
# what configure scripts do all day. CPU time, since other work on the machine would spoil the clock's. Each emulator is
# registered in a user namespace of its own; the machine's table is not touched. Ends with 77 if CACHE has none.
set -eu
cache=${1:-/var/cache/slipway-test}
rounds=${2:-100}
[ -f "$cache/arm64/busybox" ] || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# in_root BUSYBOX: the loop in a root that holds nothing else; prints the CPU seconds of all its processes
in_root() {
  rm -rf "$work/root"
  mkdir -p "$work/root/bin"
  cp "$1" "$work/root/bin/busybox"
  for applet in sh echo sed grep; do ln -s busybox "$work/root/bin/$applet"; done
  bash -c 'TIMEFORMAT="%U %S"; time chroot "$0" /bin/sh -c "i=0; while [ \$i -lt $1 ]; do echo abc | sed s/a/b/ | grep -q b; i=\$((i+1)); done"' \
    "$work/root" "$rounds" 2>&1 | awk '{ print $1 + $2 }'
}

if [ "${3:-}" = inside ]; then
  if [ "$4" != native ]; then
    mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
    "$SLIPWAY" qemu install "$4" >/dev/null
  fi
  in_root "$cache/$5/busybox"
  exit
fi

export SLIPWAY="${SLIPWAY:-slipway}" SLIPWAY_ROOT="$work/store"
while read -r platform debian; do
  [ -f "$cache/$debian/busybox" ] || continue
  seconds=$(unshare -Urm sh "$0" "$cache" "$rounds" inside "$platform" "$debian")
  printf '%-16s %s s\n' "$platform" "$seconds"
done <<END
native amd64
linux/arm64 arm64
linux/arm/v7 armhf
linux/ppc64le ppc64el
linux/s390x s390x
linux/riscv64 riscv64
linux/mips64le mips64el
END

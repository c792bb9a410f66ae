#!/bin/sh
# Fetches what the integration tests need beyond Debian's ordinary packages: static busybox of nine architectures, packed as
# root file systems in $SLIPWAY_TEST_CACHE (/var/cache/slipway-test).
set -eu
cache=${SLIPWAY_TEST_CACHE:-/var/cache/slipway-test}
here=$(dirname "$0")
mkdir -p "$cache"
"$here/busybox_base.sh" "$cache" amd64 arm64 armhf i386 ppc64el s390x
# Not on every mirror; the tests of a platform without its base are skipped.
for arch in armel mips64el riscv64; do "$here/busybox_base.sh" "$cache" $arch || true; done
for arch in amd64 arm64 armhf armel i386 ppc64el s390x mips64el riscv64; do
  [ -f "$cache/$arch/busybox" ] || continue
  [ -f "$cache/busybox-$arch.tar" ] && [ "$cache/busybox-$arch.tar" -nt "$here/busybox_tar.py" ] && continue
  python3 "$here/busybox_tar.py" "$cache/$arch/busybox" "$cache/busybox-$arch.tar.new"
  mv "$cache/busybox-$arch.tar.new" "$cache/busybox-$arch.tar"
done

#!/bin/sh
# make_pack.sh ARCHITECTURE TRIPLET PACK: installs the cross tools for Debian's ARCHITECTURE whose source version is
# that of the target's own. They go to the directory PACK with what they need, as does
# /usr/share/slipway/accel.json: which target file, by package, version and sha256, each of them stands in for.
set -eu
arch=$1 triplet=$2 pack=$3
manifest=$pack/usr/share/slipway/accel.json
mkdir -p "${manifest%/*}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export DEBIAN_FRONTEND=noninteractive

dpkg --add-architecture "$arch"
apt-get -q update

version_of() {  # PACKAGE:ARCHITECTURE -> the version that apt would install; empty: none
  apt-cache policy "$1" | sed -n 's/^  Candidate: //p' | grep -vF '(none)' || true
}
download() {  # PACKAGE VERSION: the target's package, unpacked below $work
  (cd "$work" && apt-get -q download "$1:$arch=$2" && dpkg-deb -x "$1"_*_"$arch".deb "root-$1" && rm -f ./*.deb)
}

first=yes
entry() {  # TARGET-PATH PACKAGE VERSION TWIN [MEMBERS]: one program, if the target has it. MEMBERS: more JSON
  [ -f "$work/root-$2$1" ] && [ -x "$4" ] || return 0
  [ $first = yes ] || echo ',' >&3
  first=no
  sum=$(sha256sum "$work/root-$2$1")
  printf '    {"target": "%s", "package": "%s", "version": "%s",\n     "sha256": "%s",\n     "twin": "%s"%s}' \
    "$1" "$2" "$3" "${sum%% *}" "$4" "${5-}" >&3
  echo "$1 ($2 $3): $4"
}
strings() {  # "a", "b"
  list=
  for item; do list="$list${list:+, }\"$item\""; done
  printf '%s' "$list"
}
rule() {  # KIND PATTERN
  printf '{"kind": "%s", "pattern": "%s"}' "$1" "$2"
}

# No architecture of Arm's: the error lists those that the compiler knows, and a cross compiler does not know "native".
no_architecture="-march=[!a]* -march=a[!r]* -march=armv[!89]* -march=armv[89][!.-]* -march=armv[89]?[!1-9ar]*"

# The cross compiler looks for headers in places of its own. -isysroot takes all of these away, and the target's
# come last, in its order: after whatever the command line and C_INCLUDE_PATH name. Not -nostdinc, which would
# take <stdc-predef.h> away as well. Declined is what would show the difference: other roots for headers,
# preprocessed text (in which headers of C++ are marked otherwise), statistics, precompiled headers and modules
# (which carry a checksum of the compiler), and plugins of the target; character sets, which take libraries to be
# read; and what a compiler that was itself compiled for another machine gives in another order (sanitizers' tables),
# or each time in another one (-gctf, -gbtf, records of optimisations: under QEMU addresses are always the same).
compiler_rules() {  # INCLUDE-DIRECTORY...
  rules=
  set -f  # patterns are no files' names
  for pattern in '-nostdinc*' '-idirafter*' '-iprefix*' '-iwithprefix*' '-isysroot*' '-imultilib*' '=*' '-I=*' '-I$SYSROOT*' '$SYSROOT*' \
    -E '-fplugin*' '-fdirectives-only' '-fpreprocessed' -version -v -H -Q --help* --version '-print-*' '-ftime-report*' '-fmem-report*' \
    '-Winvalid-pch' '--output-pch*' '*.gch' '-fmodules*' '-Wmissing-include-dirs' '-fdump-*' '-fopt-info*' '-f*charset=*' '-fsanitize*' '-gctf*' '-gbtf*' '-fsave-optimization-record*' \
    '*=native' $no_architecture '@*'; do
    rules="$rules$(rule decline "$pattern"),
       "
  done
  set +f
  after=
  for directory; do after="$after${after:+, }\"-idirafter\", \"$directory\""; done
  printf ',\n     "rules": [%s{"kind": "append", "with": ["-isysroot", "{pack}/none", %s]}]' "$rules" "$after"
}

# The same of what the link line hands on, for the same reasons; names of objects always come in a file
# here, and no headers are read.
lto_rules() {
  rules=
  set -f
  for pattern in '-fplugin*' -v -H -Q --help* --version '-ftime-report*' '-fmem-report*' '-fdump-*' '-fopt-info*' '-fsanitize*' '-gctf*' \
    '-gbtf*' '-fsave-optimization-record*' '*=native' $no_architecture; do
    rules="$rules${rules:+, }$(rule decline "$pattern")"
  done
  set +f
  printf ',\n     "rules": [%s]' "$rules"
}

# The linker's plugin for LTO where the compilers differ. All that 12.2.0-14+deb12u1 has in its changelog is the fix
# of -fstack-protector on arm64.
plugin_alone() {
  [ "$target $cross" = "12.2.0-14+deb12u1 12.2.0-14cross1" ] || return 0
  (cd "$work" && apt-get -q download "gcc-$gcc-$triplet" && dpkg-deb -x "gcc-$gcc-$triplet"_*.deb plugin)
  mkdir -p /usr/lib/slipway
  cp "$work/plugin/usr/lib/gcc-cross/$triplet/$gcc/liblto_plugin.so" /usr/lib/slipway/
}

# The driver works out the same commands for the compiler and the assembler, once it is told where the target's
# compiler is (-B). It is for compiling only: linking needs the target's files and its linker's way to them. Declined
# is what shows where the driver has its own files, or asks it to look at the machine; OpenMP, OpenACC and LTO, as
# only the target's driver has an offload compiler to name to the compiler; and Rust, which only that knows.
driver_rules() {
  set -f
  for pattern in '-B*' '--prefix*' -v --verbose '-###' '-print-*' '--print-*' '-dump*' '--dump*' '--help*' --version \
    --target-help '@*' '-specs*' '--specs*' '-wrapper*' '-no-canonical-prefixes' '--no-canonical-prefixes' '--sysroot*' \
    '-isysroot*' '-iprefix*' '-iwithprefix*' '-fplugin*' '-save-temps*' '--save-temps*' '-time*' '-fcompare-debug*' '*=native' '-fopenmp*' \
    '-fopenacc*' '-foffload*' '-flto*' '-gsplit-dwarf' '*.rs' rust -xrust $no_architecture; do
    printf '%s,\n       ' "$(rule decline "$pattern")"
  done
  set +f
  # A cc1 of one's own there comes before -B.
  printf '%s,\n       %s, %s' "$(rule decline-variable 'COMPILER_PATH=*')" "$(rule require '-[cS]')" "$(printf '{"kind": "append", "with": ["-B/usr/libexec/gcc/%s/%s/"]}' "$triplet" "$gcc")"
}
drivers() {
  [ -d "/usr/libexec/gcc-cross/$triplet/$gcc" ] || return 0  # before gcc 13 the compilers are elsewhere
  # Either would find an assembler that the other does not look for.
  alone=$(printf ',\n     "when": [{"directory": "/usr/%s/bin", "names": []}],\n     "rules": [%s]' "$triplet" "$(driver_rules)")
  entry "/usr/bin/$triplet-gcc-$gcc" "gcc-$gcc-$triplet" "$target" "/usr/bin/$triplet-gcc-$gcc" "$alone"
  entry "/usr/bin/$triplet-g++-$gcc" "g++-$gcc-$triplet" "$target" "/usr/bin/$triplet-g++-$gcc" "$alone"
}

compilers() {
  gcc=$(apt-cache depends "gcc:$arch" | sed -n 's/^  Depends: gcc-\([0-9]*\).*/\1/p' | head -n 1)
  target=$(version_of "gcc-$gcc:$arch")
  cross=$(version_of "gcc-$gcc-$triplet")
  case $cross in
    "$target"cross[0-9]*) ;;
    *)
      echo "no compilers: the target's gcc-$gcc is $target, the cross compiler ${cross:-not to be had}"
      plugin_alone
      return 0 ;;
  esac
  apt-get -q install -y --no-install-recommends "cpp-$gcc-$triplet" "gcc-$gcc-$triplet" "g++-$gcc-$triplet"
  # Since gcc 13 the programs are in packages that have the triplet in their names.
  for package in "cpp-$gcc" "gcc-$gcc" "g++-$gcc"; do
    for name in "$package" "$package-$triplet"; do
      version=$(version_of "$name:$arch")
      [ "$version" = "$target" ] && download "$name" "$version"
    done
  done
  c="/usr/lib/gcc/$triplet/$gcc/include /usr/local/include/$triplet /usr/local/include
    /usr/lib/gcc/$triplet/$gcc/include-fixed/$triplet /usr/lib/gcc/$triplet/$gcc/include-fixed
    /usr/lib/gcc/$triplet/$gcc/../../../../$triplet/include /usr/include/$triplet /usr/include"
  cxx="/usr/include/c++/$gcc /usr/include/$triplet/c++/$gcc /usr/include/c++/$gcc/backward"
  for lib in lib libexec; do
    for name in "cpp-$gcc" "cpp-$gcc-$triplet" "gcc-$gcc" "gcc-$gcc-$triplet" "g++-$gcc" "g++-$gcc-$triplet"; do
      at=/usr/$lib/gcc/$triplet/$gcc from=/usr/$lib/gcc-cross/$triplet/$gcc
      # shellcheck disable=SC2086 # a directory an argument
      entry "$at/cc1" "$name" "$target" "$from/cc1" "$(compiler_rules $c)"
      # shellcheck disable=SC2086
      entry "$at/cc1plus" "$name" "$target" "$from/cc1plus" "$(compiler_rules $cxx $c)"
      entry "$at/lto1" "$name" "$target" "$from/lto1" "$(lto_rules)"
    done
  done
  drivers
}

binutils() {
  package=binutils-$triplet
  target=$(version_of "$package:$arch")
  cross=$(version_of "$package")
  if [ "$target" != "$cross" ]; then
    echo "no binutils: the target's are $target, the cross binutils ${cross:-not to be had}"
    return 0
  fi
  apt-get -q install -y --no-install-recommends "$package"
  download "$package" "$target"
  bin=/usr/bin/$triplet
  entry "$bin-as" "$package" "$target" "$bin-as"
  entry "$bin-readelf" "$package" "$target" "$bin-readelf"
  # The rest loads whatever is in this directory, and cannot load the target's own plugin for LTO.
  plugins=/usr/lib/bfd-plugins
  none=$(printf ',\n     "when": [{"directory": "%s", "names": []}]' $plugins)
  # A native linker finds what libraries need where ld.so would, a cross linker does not: nothing there may be unusual.
  download libc6 "$(version_of "libc6:$arch")"
  usual=$(printf '{"directory": "/etc/ld.so.conf.d", "names": [%s]}' "$(strings "$triplet.conf" libc.conf)")
  for file in /etc/ld.so.conf /etc/ld.so.conf.d/libc.conf "/etc/ld.so.conf.d/$triplet.conf"; do
    [ -f "$work/root-libc6$file" ] && from=$work/root-libc6$file || from=$file  # that of libc-bin is every machine's
    sum=$(sha256sum "$from")
    usual="$usual, $(printf '{"file": "%s", "sha256": "%s"}' "$file" "${sum%% *}")"
  done
  refused=$(printf '%s, %s, %s, %s, %s' "$(rule decline '--sysroot*')" "$(rule decline '--print-sysroot')" "$(rule decline '--verbose')" "$(rule decline '--help')" "$(rule decline '@*')")
  plugin=$(ls /usr/libexec/gcc-cross/"$triplet"/*/liblto_plugin.so /usr/lib/slipway/liblto_plugin.so 2>/dev/null | head -n 1 || true)
  if [ -n "$plugin" ]; then
    # The driver names the target's own to the linker. Any other is one that the twin cannot load, or a file to read.
    replace=
    for own in "/usr/libexec/gcc/$triplet/$gcc" "/usr/lib/gcc/$triplet/$gcc"; do
      replace="$replace$(printf '{"kind": "replace", "pattern": "%s/liblto_plugin.so", "with": ["{pack}%s"]}' "$own" "$plugin"), "
    done
    replace="$replace$(rule decline '*liblto_plugin*'), $(rule decline '-plugin=*'), $(rule decline '--plugin=*'), $(rule decline '*gold*.so')"
    lto=$(printf ',\n     "when": [{"directory": "%s", "names": ["liblto_plugin.so"]}]' $plugins)
    for tool in ar ranlib nm; do
      entry "$bin-$tool" "$package" "$target" "$bin-$tool" \
        "$(printf '%s,\n     "rules": [%s, %s, %s, {"kind": "prepend", "with": ["--plugin", "{pack}%s"]}]' \
        "$lto" "$(rule decline '*plugin*')" "$(rule decline '-M')" "$(rule require '*')" "$plugin")"
    done
    entry "$bin-ld.bfd" "$package" "$target" "$bin-ld.bfd" \
      "$(printf ',\n     "when": [%s],\n     "rules": [%s, %s]' "$usual" "$refused" "$replace")"
  else
    entry "$bin-ld.bfd" "$package" "$target" "$bin-ld.bfd" \
      "$(printf ',\n     "when": [%s],\n     "rules": [%s, %s]' "$usual" "$refused" "$(rule decline '*plugin*')")"
  fi
  for tool in ar ranlib nm strip objcopy; do
    entry "$bin-$tool" "$package" "$target" "$bin-$tool" \
      "$none$(printf ',\n     "rules": [%s]' "$(rule decline '*plugin*')")"
  done
}

. /etc/os-release
exec 3> "$manifest"
printf '{"format": 1,\n "description": "%s, tools for %s",\n "platform": "linux/%s", "machine": "%s",\n "programs": [\n' \
  "$PRETTY_NAME" "$triplet" "$arch" "${triplet%%-*}" >&3
compilers
binutils
printf '\n ]}\n' >&3
exec 3>&-
[ $first = no ] || { echo "nothing of $PRETTY_NAME can stand in for $arch" >&2; exit 1; }

# A step sees the whole tree of a pack: the programs, what {pack} names, the libraries and the loader, and no Debian.
keep() {  # FILE...: under the paths by which they are asked for
  for file; do
    mkdir -p "$pack${file%/*}"
    cp -L --preserve=mode,timestamps "$file" "$pack$file"
  done
}
for file in $(grep -o -e '"twin": "[^"]*' -e '{pack}[^"]*' "$manifest" | sed 's,^[^/]*,,' | sort -u); do
  [ -e "$file" ] || continue  # the root that -isysroot takes is nowhere
  # shellcheck disable=SC2046 # a library an argument
  keep "$file" $(ldd "$file" | sed -n 's,^[^/]*\(/[^ ]*\) (0x.*,\1,p')
done

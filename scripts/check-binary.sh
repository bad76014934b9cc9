#!/usr/bin/env bash
# What a shipped addon may and may not contain.
# Usage: check-binary.sh [ADDON [OBJECTS]]
#   ADDON    the .node file; default: this machine's file in prebuilds/, else build/Release/sampled_softmax.node
#   OBJECTS  the folder of the kernels' object files; default: build/CMakeFiles/cpu.dir/native/cpu/kernels
# READELF, NM and OBJDUMP name other tools, for an addon of another architecture.
set -euo pipefail
cd "$(dirname "$0")/.."

readelf=${READELF:-readelf} nm=${NM:-nm} objdump=${OBJDUMP:-objdump}
arch=$(node -p process.arch)
addon=${1:-prebuilds/linux-$arch/sampled-softmax.glibc.node}
if [[ $# -eq 0 && ! -f $addon ]]; then addon=build/Release/sampled_softmax.node; fi
objects=${2:-build/CMakeFiles/cpu.dir/native/cpu/kernels}

# Debian 12, Ubuntu 22.04, RHEL 9 and newer: the least of what they have.
max_glibc=2.34 max_glibcxx=3.4.29 max_cxxabi=1.3.13 max_gcc=3.4
max_bytes=$((2 * 1024 * 1024))

failed=0
fail() {
  echo "check-binary: $1" >&2
  failed=1
}

# Prints the lines of $2 that do not match the extended expression $1.
others() { grep -vE "$1" <<<"$2" | grep -v '^$' || true; }

[[ -f $addon ]] || { echo "check-binary: no file $addon; npm run package:native makes it" >&2; exit 1; }
[[ -d $objects ]] || { echo "check-binary: no folder $objects" >&2; exit 1; }
dynamic=$("$readelf" -dW "$addon")

needed=$(sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' <<<"$dynamic")
unexpected=$(others '^(libc\.so\.6|libm\.so\.6|libdl\.so\.2|libpthread\.so\.0|libgcc_s\.so\.1|libstdc\+\+\.so\.6|ld-linux-(x86-64\.so\.2|aarch64\.so\.1))$' "$needed")
[[ -z $unexpected ]] || fail "needs other libraries: ${unexpected//$'\n'/ }"

grep -q NODELETE <<<"$dynamic" || fail 'not linked with -z nodelete'
! grep -qE '\((RPATH|RUNPATH|TEXTREL)\)' <<<"$dynamic" || fail 'has an RPATH or text relocations'

undefined=$("$nm" -D --undefined-only "$addon" | awk '{print $2}')
unexpected=$(others '^(napi_|node_api_)|@(GLIBC|GLIBCXX|CXXABI|GCC)_|^_ITM_|^__gmon_start__$' "$undefined")
[[ -z $unexpected ]] || fail "undefined symbols of unknown origin: ${unexpected//$'\n'/ }"

exported=$("$nm" -D --defined-only "$addon" | awk '{print $3}')
unexpected=$(others '^(napi_register_module_v[0-9]+|node_api_module_get_api_version_v[0-9]+)$' "$exported")
[[ -z $unexpected ]] || fail "exports $(wc -l <<<"$unexpected") symbols that are not Node-API's: $(c++filt <<<"$unexpected" | head -5)"

# Fails where the highest version of symbol set $1 is above $2.
ceiling() {
  local highest
  highest=$("$readelf" -VW "$addon" | grep -oE "\b$1_[0-9.]+" | sed "s/^$1_//" | sort -uV | tail -1)
  [[ -z $highest || $(printf '%s\n%s\n' "$highest" "$2" | sort -V | tail -1) == "$2" ]] || fail "needs $1_$highest, more than $1_$2"
  [[ $1 != GLIBC ]] || glibc=$highest
}
glibc=
ceiling GLIBC $max_glibc
ceiling GLIBCXX $max_glibcxx
ceiling CXXABI $max_cxxabi
ceiling GCC $max_gcc

# crtfastmath.o (-ffast-math or -Ofast at link) would flush the denormals of all JavaScript.
! "$objdump" -d "$addon" | grep -qE '\bv?ldmxcsr\b|msr\s+fpcr' || fail 'writes the floating-point control register'

# A weak symbol (an inline function, a template) of an object with wider instructions may be what the linker gives to the
# baseline, and a constructor there would run on every processor: both are illegal instructions on an older one.
for object in "$objects"/*.o; do
  case ${object##*/} in baseline.*) continue ;; esac
  weak=$("$nm" "$object" | awk 'NF == 3 && $2 ~ /^[WVu]$/ {print $3}' | c++filt)
  [[ -z $weak ]] || fail "$object has weak symbols: $(head -5 <<<"$weak")"
  ! "$readelf" -SW "$object" | grep -qE '\.init_array|\.ctors' || fail "$object has constructors that run at load"
done

bytes=$(stat -c %s "$addon")
[[ $bytes -le $max_bytes ]] || fail "$bytes bytes, more than $max_bytes"

[[ $failed -eq 0 ]] || exit 1
echo "$addon: $bytes bytes, needs glibc $glibc, ${needed//$'\n'/ }"

#!/usr/bin/env bash
# What a shipped addon, and the CUDA library beside it, may and may not contain.
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
cuda=$(dirname "$addon")/libsampled_softmax_cuda.so

# Debian 12, Ubuntu 22.04, RHEL 9 and newer: the least of what they have.
max_glibc=2.34 max_glibcxx=3.4.29 max_cxxabi=1.3.13 max_gcc=3.4
max_addon_bytes=$((2 * 1024 * 1024)) max_cuda_bytes=$((8 * 1024 * 1024))

# What each .cu file is compiled for.
gpus='sm_75 sm_80 sm_86 sm_89 sm_90 sm_100 sm_120 compute_120'

failed=0
fail() {
  echo "check-binary: $1" >&2
  failed=1
}

# Prints the lines of $2 that do not match the extended expression $1.
others() { grep -vE "$1" <<<"$2" | grep -v '^$' || true; }

# Fails where the highest version of symbol set $2 that $1 needs is above $3; leaves glibc's in $glibc.
ceiling() {
  local highest
  highest=$("$readelf" -VW "$1" | grep -oE "\b$2_[0-9.]+" | sed "s/^$2_//" | sort -uV | tail -1)
  [[ -z $highest || $(printf '%s\n%s\n' "$highest" "$3" | sort -V | tail -1) == "$3" ]] || fail "$1 needs $2_$highest, more than $2_$3"
  [[ $2 != GLIBC ]] || glibc=$highest
}

# check_object FILE MAX-BYTES UNDEFINED EXPORTED: what holds for both. UNDEFINED, an expression, or '': which symbols without a
# version it may want from its process. EXPORTED: all that it may export; it must export one.
check_object() {
  local file=$1 dynamic needed unexpected exported bytes
  dynamic=$("$readelf" -dW "$file")

  needed=$(sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' <<<"$dynamic")
  unexpected=$(others '^(libc\.so\.6|libm\.so\.6|libdl\.so\.2|libpthread\.so\.0|librt\.so\.1|libgcc_s\.so\.1|libstdc\+\+\.so\.6|ld-linux-(x86-64\.so\.2|aarch64\.so\.1))$' "$needed")
  [[ -z $unexpected ]] || fail "$file needs other libraries: ${unexpected//$'\n'/ }"

  grep -q NODELETE <<<"$dynamic" || fail "$file is not linked with -z nodelete"
  ! grep -qE '\((RPATH|RUNPATH|TEXTREL)\)' <<<"$dynamic" || fail "$file has an RPATH or text relocations"

  unexpected=$(others "${3:+$3|}@(GLIBC|GLIBCXX|CXXABI|GCC)_|^_ITM_|^__gmon_start__\$" "$("$nm" -D --undefined-only "$file" | awk '{print $2}')")
  [[ -z $unexpected ]] || fail "$file has undefined symbols of unknown origin: ${unexpected//$'\n'/ }"

  exported=$("$nm" -D --defined-only "$file" | awk '{print $3}')
  [[ -n $exported ]] || fail "$file exports nothing"
  unexpected=$(others "^($4)\$" "$exported")
  [[ -z $unexpected ]] || fail "$file exports $(wc -l <<<"$unexpected") symbols besides $4: $(c++filt <<<"$unexpected" | head -5)"

  ceiling "$file" GLIBC $max_glibc
  ceiling "$file" GLIBCXX $max_glibcxx
  ceiling "$file" CXXABI $max_cxxabi
  ceiling "$file" GCC $max_gcc

  # crtfastmath.o (-ffast-math or -Ofast at link) would flush the denormals of all JavaScript.
  ! "$objdump" -d "$file" | grep -qE '\bv?ldmxcsr\b|msr\s+fpcr' || fail "$file writes the floating-point control register"

  bytes=$(stat -c %s "$file")
  [[ $bytes -le $2 ]] || fail "$file has $bytes bytes, more than $2"
  echo "$file: $bytes bytes, needs glibc $glibc, ${needed//$'\n'/ }"
}

[[ -f $addon ]] || { echo "check-binary: no file $addon; npm run package:native makes it" >&2; exit 1; }
[[ -d $objects ]] || { echo "check-binary: no folder $objects" >&2; exit 1; }
check_object "$addon" $max_addon_bytes '^(napi_|node_api_)' 'napi_register_module_v[0-9]+|node_api_module_get_api_version_v[0-9]+'

# A weak symbol (an inline function, a template) of an object with wider instructions may be what the linker gives to the
# baseline, and a constructor there would run on every processor: both are illegal instructions on an older one.
for object in "$objects"/*.o; do
  case ${object##*/} in baseline.*) continue ;; esac
  weak=$("$nm" "$object" | awk 'NF == 3 && $2 ~ /^[WVu]$/ {print $3}' | c++filt)
  [[ -z $weak ]] || fail "$object has weak symbols: $(head -5 <<<"$weak")"
  ! "$readelf" -SW "$object" | grep -qE '\.init_array|\.ctors' || fail "$object has constructors that run at load"
done

if [[ -f $cuda ]]; then
  check_object "$cuda" $max_cuda_bytes '' sampled_softmax_backend
  listed=$(scripts/list-fatbin.mjs "$cuda") || fail "$cuda holds no code for GPUs that could be listed"
  # nvcc's order within a file means nothing.
  while read -ra entries; do
    [[ $(printf '%s\n' "${entries[@]}" | sort) == "$(printf '%s\n' $gpus | sort)" ]] || fail "$cuda has ${entries[*]} of a .cu file, expected $gpus"
  done <<<"$listed"
  files=$(find native/cuda/kernels -name '*.cu' | wc -l)
  [[ $(wc -l <<<"$listed") -eq $files ]] || fail "$cuda has the code of $(wc -l <<<"$listed") .cu files, not of all $files"
  echo "$cuda: code for $gpus"
elif [[ $addon == *linux-x64* ]] && command -v nvcc >/dev/null; then
  fail "there is no $cuda, though there is an nvcc; npm run package:native says why"
else
  echo "check-binary: no CUDA library beside $addon, as there was no nvcc or it is for another processor"
fi

[[ $failed -eq 0 ]] || exit 1

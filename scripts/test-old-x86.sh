#!/usr/bin/env bash
# Runs the x86-64 build as processors that lack the newer instructions (qemu-user): the native tests, and the addon in
# Node, which must pick the widest set that the processor has and refuse a wider one that SAMPLED_SOFTMAX_ISA names.
# Needs a built package (npm run build) and scripts/test-native.sh plain.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/require-packages.sh qemu-x86_64 qemu-user
node=$(command -v node)
# The features taken away are those that qemu 7.2 does not have and warns of.
nehalem=Nehalem
haswell=Haswell-noTSX,-pcid,-x2apic,-tsc-deadline,-invpcid

# expect PROCESSOR ISA WANT: what info() says on PROCESSOR with SAMPLED_SOFTMAX_ISA=ISA ('' leaves it unset), or the code
# of its error.
expect() {
  local got
  got=$(env -u SAMPLED_SOFTMAX_ISA ${2:+"SAMPLED_SOFTMAX_ISA=$2"} \
    qemu-x86_64 -cpu "$1" "$node" --jitless --input-type=module -e '
    const { info } = await import("./dist/index.js");
    try {
      console.log(info().cpu.instructionSet);
    } catch (error) {
      console.log(error.code);
    }' 2>&1 | tail -1) || true
  if [[ $got != "$3" ]]; then
    echo "test-old-x86: ${1%%,*} with SAMPLED_SOFTMAX_ISA='$2': expected $3, got '$got'" >&2
    exit 1
  fi
  echo "${1%%,*} with SAMPLED_SOFTMAX_ISA='$2': $got"
}

mapfile -t tests < <(find build-native/plain -maxdepth 1 -name 'test_*' -type f -executable)
[[ ${#tests[@]} -gt 0 ]] || { echo 'test-old-x86: run scripts/test-native.sh plain first' >&2; exit 1; }
# Of the losses every 25th case: the kernels of these processors have done all in the native tests, and show here,
# at a hundredth of the speed, that they need no more than there is.
echo "native tests as ${nehalem%%,*} and as ${haswell%%,*}"
for test in "${tests[@]}"; do printf '%s\n' "$nehalem $test" "$haswell $test"; done |
  xargs -L 1 -P 2 timeout 900 bash -c 'exec qemu-x86_64 -cpu "$0" "$1" 25'
expect $nehalem '' baseline
expect $nehalem avx2 ERR_ENVIRONMENT
expect $haswell '' avx2
expect $haswell baseline baseline
expect $haswell avx512 ERR_ENVIRONMENT

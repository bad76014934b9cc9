#!/usr/bin/env bash
# Builds and runs the emulator's tests, one line of summary for each part. Exits 77 where the tools for it are missing.
#   CUDA=/usr/local/cuda-13.0 JOBS=2 test/cuda-emulator/test/run.sh
# BUILD: a folder that keeps what is built, for the next time. RUNTIME: objects of the emulator's runtime, where they are
# built already; that saves a third of the time.
set -uo pipefail
cd "$(dirname "$0")"

find_cuda() {
  local place
  for place in ${CUDA:-} /usr/local/cuda /usr/local/cuda-*; do
    if [ -x "$place/bin/nvcc" ]; then
      echo "$place"
      return
    fi
  done
}
CUDA=$(find_cuda)
skip() {
  echo "cuda-emulator: skipped, $1"
  exit 77
}
[ -n "$CUDA" ] || skip "there is no nvcc (set CUDA to the toolkit's folder)"
command -v python3 > /dev/null || skip "there is no python3"

build=${BUILD:-$(mktemp -d)}
if [ -z "${BUILD:-}" ]; then trap 'rm -rf "$build"' EXIT; fi
mkdir -p "$build"
rm -f "$build/findings" # are appended
export PYTHONDONTWRITEBYTECODE=1
if ! make -s -j"${JOBS:-2}" -f Makefile CUDA="$CUDA" BUILD="$build" ${RUNTIME:+RUNTIME="$RUNTIME"} > "$build/log" 2>&1; then
  tail -40 "$build/log"
  exit 1
fi

failed=0
# part NAME [VARIABLE=value...] COMMAND... - one line of what came out, and all of it where it failed
part() {
  local name=$1 output
  shift
  if output=$(timeout 120 env CUEMU_QUIET=1 "$@" 2>&1); then
    output=${output##*$'\n'}
    printf '%-38s %s\n' "$name" "${output##*: }"
  else
    printf '%s\nFAILED: %s\n' "$output" "$name"
    failed=1
  fi
}
# Every schedule shows other mistakes; the answers have to be right under all of them.
schedules() {
  local name=$1 program=$build/$2 order
  shift 2
  for order in fwd rev rand; do part "$name, $order" CUEMU_ORDER=$order "$@" "$program"; done
}
# And with what can be set besides: when copies land, and whether lanes are interrupted.
variations() {
  local name=$1 program=$build/$2
  part "$name, early copies" CUEMU_COPY=early "$program"
  part "$name, late copies" CUEMU_ORDER=rev CUEMU_COPY=late "$program"
  part "$name, preempted" CUEMU_ORDER=rand CUEMU_PREEMPT=30 "$program"
}

part "instructions" "$build/run_tables" "$build/tables.txt"
part "refusals of the translator" python3 test_refusals.py
schedules "kernels, compute_80" test_kernels
variations "kernels, compute_80" test_kernels
part "kernels, compute_80, noise" CUEMU_NOISE=1 "$build/test_kernels"
schedules "kernels, compute_120, fast math" test_kernels_120 CUEMU_CC=120
schedules "kernels, unchecked" test_kernels_unchecked
schedules "mistakes in kernels" test_mistakes
variations "mistakes in kernels" test_mistakes
schedules "collectives" test_collectives
part "collectives, ucontext" "$build/test_collectives_ucontext"
schedules "tensor cores and copies" test_tensor
schedules "features" test_features
schedules "streams" test_streams
part "launches" "$build/test_launches"
schedules "memory" test_memory
part "memory, eager streams" CUEMU_STREAMS=eager "$build/test_memory"
part "machine" "$build/test_machine" default
part "machine, old driver" CUEMU_DRIVER=12080 "$build/test_machine" old-driver
part "machine, no driver" CUEMU_DRIVER=0 "$build/test_machine" no-driver
part "machine, no device" CUEMU_DEVICES=0 "$build/test_machine" no-device
part "machine, two devices" CUEMU_DEVICES=2 "$build/test_machine" two-devices
part "machine, sm_120" CUEMU_CC=120 "$build/test_machine" other-capability
part "machine, small memory" CUEMU_MEMORY=1000000 "$build/test_machine" small-memory
part "machine, failing allocation" CUEMU_FAIL_ALLOC=3 "$build/test_machine" failing-allocation
part "leaks and mistakes at exit" CUEMU_LEAKS=1 CUEMU_FINDINGS="$build/findings" "$build/test_machine" findings
part "the file of findings" diff "$build/findings" expected_findings.txt
part "counted work, written" CUEMU_STATS_JSON="$build/kernels.json" "$build/test_kernels"
part "counted traffic, written" CUEMU_STATS_JSON="$build/traffic.json" "$build/test_traffic"
part "counted work and traffic" python3 test_statistics.py "$build/kernels.json" "$build/traffic.json"
part "opened library" "$build/load_library" "$build/library.so"
part "opened library, eager streams" CUEMU_STREAMS=eager "$build/load_library" "$build/library.so"

if [ $failed = 0 ]; then echo "cuda-emulator: all parts passed"; else echo "cuda-emulator: FAILED"; fi
exit $failed

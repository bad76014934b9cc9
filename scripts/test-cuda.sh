#!/usr/bin/env bash
# Tests of the CUDA backend that need no GPU and no Node: its kernels as PTX, on the emulated runtime of test/cuda-emulator.
# Usage: test-cuda.sh [emulator | losses | host | mistakes | architectures]...   (default: all, in this order)
#   emulator  the emulator itself (test/cuda-emulator/test/run.sh): each instruction, streams, memory, what it finds
#   losses    the losses against the reference, in six schedules; the same bits in two more
#   host      faults, memory and threads (test/cuda/test_host.cc, test_no_memory.cc, test_concurrency.cc)
#   mistakes  that each of the mistakes in test/cuda/mistakes is found
#   architectures  the losses, and with Node TensorFlow's outputs and the tables, from the PTX of each other architecture
#                  that is shipped
# A finding of the emulator fails the run, unless test/cuda/allowed-findings.txt has it. Exits with 77, and one line, where
# nvcc or Python is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/cuda-tools.sh

build=build-native/emulated
library=$PWD/build/emulated/libsampled_softmax_cuda_emulated.so
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
export CUEMU_QUIET=1

say() { printf '%6d s  %s\n' $SECONDS "$*"; }

# The findings in these files that nothing allows.
refused() { cat "$@" 2>/dev/null | grep -vE -f <(grep -E '^[^#]' test/cuda/allowed-findings.txt) || true; }

# A run with a name of its own, for its output and findings, in an environment of settings and with arguments.
# Fails for a finding too. Usage: checked NAME SETTINGS COMMAND...
checked() {
  local name=$1 settings=$2 status=0 found
  shift 2
  env $settings CUEMU_FINDINGS="$work/$name.findings" "$@" >"$work/$name.log" 2>&1 || status=$?
  found=$(refused "$work/$name.findings")
  if [[ $status -ne 0 || -n $found ]]; then
    printf '%s (%s): status %d\n%s\n%s\n' "$name" "$settings" $status "$(tail -n 20 "$work/$name.log")" "$found"
    return 1
  fi
}

# Waits for the background jobs with these ids; fails where one has.
all() {
  local failed=0 id
  for id; do wait "$id" || failed=1; done
  return $failed
}

# Half a minute on two cores, of which 6 s are the tests and the rest nvcc and g++; what is built is kept.
test_emulator() {
  local failed=0 toolkit runtime
  toolkit=$(sed -n 's/^CUDAToolkit_BIN_DIR:PATH=//p' "$build/CMakeCache.txt")  # nvcc may be a script that calls it there
  runtime=$(printf "$PWD/$build/CMakeFiles/emulated_runtime.dir/%s.o " test/cuda-emulator/runtime/*.cc)
  CUDA=${toolkit%/bin} BUILD=$PWD/build-native/emulator RUNTIME=$runtime \
    test/cuda-emulator/test/run.sh >"$work/emulator.log" 2>&1 || failed=1
  [[ $failed -eq 0 ]] || grep -v ' 0 failed$' "$work/emulator.log"
  say 'emulator: its own tests'
  return $failed
}

test_losses() {
  local order copy kept ids=() failed=0
  # Kept logits and logits formed again, in chunks of columns, in turn.
  for order in fwd rev rand; do
    ids=()
    for copy in early late; do
      kept=
      if [[ $order$copy =~ ^(fwdearly|revlate|randearly)$ ]]; then kept=40000; fi
      checked "losses-$order-$copy" "CUEMU_ORDER=$order CUEMU_COPY=$copy CUEMU_NOISE=1 SAMPLED_SOFTMAX_CUDA_KEPT_BYTES=$kept" \
        "$build/cuda_test_losses" "$library" &
      ids+=($!)
    done
    all "${ids[@]}" || failed=1
    say "losses, schedule $order with copies early and late"
  done
  checked same-fwd 'CUEMU_ORDER=fwd CUEMU_COPY=late' "$build/cuda_test_losses" "$library" &
  ids=($!)
  checked same-rand 'CUEMU_ORDER=rand CUEMU_COPY=early CUEMU_SEED=5' "$build/cuda_test_losses" "$library" --again &
  ids+=($!)
  all "${ids[@]}" || failed=1
  if [[ $(grep hash "$work/same-fwd.log") != "$(grep hash "$work/same-rand.log")" ]]; then
    echo 'losses: other bits in another schedule'
    failed=1
  fi
  say 'losses, the same bits in two schedules and on a second run'
  return $failed
}

test_host() {
  local failed=0
  cmake --build "$build" --parallel 2 --target planted_fault >"$work/build.log" 2>&1 || { cat "$work/build.log"; return 1; }
  checked host CUEMU_LEAKS=0 "$build/cuda_test_host" "$library" "${library%/*}/libplanted_fault.so" || failed=1
  say 'host: no driver, no device, too large a call, a fault'
  checked no-memory CUEMU_LEAKS=1 "$build/cuda_test_no_memory" "$library" || failed=1
  checked no-memory-eager 'CUEMU_LEAKS=1 CUEMU_STREAMS=eager CUEMU_ORDER=rev' "$build/cuda_test_no_memory" "$library" || failed=1
  say 'host: each allocation fails in turn'
  checked concurrency CUEMU_LEAKS=0 "$build/cuda_test_concurrency" "$library" || failed=1
  say 'host: threads, notifications, two devices'
  return $failed
}

# A mistake in a library is found where one of a few runs has a finding or wrong values, or other bits than the first.
# Prints by what; fails where it is not found.
find_mistake() {
  local name=$1 planted=$2 i=0 settings by= run runs
  run=("$build/cuda_test_losses" "$planted" --shapes 40)
  runs=('SAMPLED_SOFTMAX_CUDA_KEPT_BYTES=40000 CUEMU_ORDER=rand CUEMU_COPY=late'
    'SAMPLED_SOFTMAX_CUDA_KEPT_BYTES=40000 CUEMU_ORDER=rev CUEMU_COPY=early')
  if [[ $name == table-* ]]; then
    run=("$build/cuda_test_tables" "$planted")
    runs=(CUEMU_ORDER=rand "CUEMU_ORDER=rev SAMPLED_SOFTMAX_CUDA_FIRST_ROW=$((2 ** 31 + 5))")
  fi
  for settings in "${runs[@]}"; do
    i=$((i + 1))
    if ! checked "$name-$i" "$settings" timeout 120 "${run[@]}" >"$work/$name-$i.said"; then
      by=$(grep -oE '^(race|initcheck|synccheck|stale|fault|order|api): .*|array [0-9] off by .*|[^:]*: other bits.*|CUDA: .*' \
        "$work/$name-$i.said" | head -n 1 | sed -E 's/_Z[A-Za-z0-9_]*: //' | cut -c 1-90) || true
    elif [[ $i -gt 1 && $(grep hash "$work/$name-$i.log") != "$(grep hash "$work/$name-1.log")" ]]; then
      by='other bits in another schedule'
    fi
    [[ -z $by ]] || break
  done
  printf '    %-32s %s\n' "$name" "${by:-nothing}"
  [[ -n $by ]]
}

test_mistakes() {
  local script name
  cmake --build "$build" --parallel 2 --target mistakes >"$work/build.log" 2>&1 || { tail -n 30 "$work/build.log"; return 1; }
  say 'mistakes are built'
  for name in none table-none; do
    if find_mistake "$name" "$library"; then
      echo 'mistakes: one is found where none is planted' | tee "$work/wrong"
    fi &
  done
  for script in test/cuda/mistakes/*.sed; do
    while [[ $(jobs -pr | wc -l) -ge 2 ]]; do wait -n || true; done
    name=$(basename "$script" .sed)
    { find_mistake "$name" "${library%/*}/libplanted_$name.so" || touch "$work/wrong"; } &
  done
  wait
  say 'mistakes, each of them found, or else a line above says which is not'
  [[ ! -e $work/wrong ]]
}

# Whether all kernels have the same PTX for two architectures, but for its first lines, which name them.
same_ptx() {
  local file
  for file in "$own"/ptx/keep/*/*."$1".ptx; do
    cmp -s <(sed '/^\.target/d' "$file") <(sed '/^\.target/d' "${file%"$1".ptx}$2.ptx") || return 1
  done
}

test_architectures() {
  local architecture last='' failed=0 own=build-native/architectures architectures=() different=() ids
  for architecture in $(grep -oE '"[0-9]+,code=' native/cuda/CMakeLists.txt | grep -oE '[0-9]+'); do
    if [[ $architecture != 80 ]]; then architectures+=("compute_$architecture"); fi
  done
  {
    cmake -S . -B $own -DCMAKE_BUILD_TYPE=Release -DSAMPLED_SOFTMAX_ADDON=OFF -DSAMPLED_SOFTMAX_EMULATED_UNCHECKED=ON \
      "-DSAMPLED_SOFTMAX_EMULATED_CUDA=$(IFS=';' && echo "${architectures[*]}")" "-DCMAKE_LIBRARY_OUTPUT_DIRECTORY=$PWD/$own" &&
      cmake --build $own --parallel 2 --target emulated_ptx
  } >"$work/build.log" 2>&1 || { tail -n 30 "$work/build.log"; return 1; }
  for architecture in "${architectures[@]}"; do
    if [[ -n $last ]] && same_ptx "$architecture" "$last"; then
      say "$architecture has the PTX of $last"
    else
      different+=("$architecture")
      last=$architecture
    fi
  done
  cmake --build $own --parallel 2 --target cuda_test_losses "${different[@]/#/sampled_softmax_cuda_}" >"$work/build.log" 2>&1 ||
    { tail -n 30 "$work/build.log"; return 1; }
  say "built for ${different[*]}"
  for architecture in "${different[@]}"; do
    local file=$PWD/$own/libsampled_softmax_cuda_$architecture.so cc=CUEMU_CC=${architecture#compute_}
    checked "$architecture" "$cc" $own/cuda_test_losses "$file" --shapes 100 &
    ids=($!)
    checked "$architecture-node" "$cc SAMPLED_SOFTMAX_CUDA_LIBRARY=$file" \
      npx vitest run --project cuda test/golden-losses.test.ts test/device-tables.test.ts &
    ids+=($!)
    all "${ids[@]}" || failed=1
    say "losses, TensorFlow's outputs and tables on $architecture"
  done
  return $failed
}

scripts/build-emulated.sh
say 'built'
if [[ $# -eq 0 ]]; then set -- emulator losses host mistakes architectures; fi
status=0
for part; do
  case $part in
    emulator | losses | host | mistakes | architectures) "test_$part" || status=1 ;;
    *)
      echo "test-cuda.sh: expected emulator, losses, host, mistakes or architectures, got '$part'" >&2
      exit 2
      ;;
  esac
done
[[ $status -eq 0 ]] || echo 'test-cuda.sh: failed, see above'
exit $status

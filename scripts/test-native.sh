#!/usr/bin/env bash
# The native tests (test/native) without Node, in build-native/<kind>.
# Usage: test-native.sh [plain | address,undefined | thread]...   (default: all three, in this order)
# ThreadSanitizer runs only the tests that use threads, each once.
set -euo pipefail
cd "$(dirname "$0")/.."

threaded=$(grep -lE '<thread>|cpu/pool\.h' test/native/test_*.cc | xargs -n 1 basename -s .cc | paste -sd '|')

run() {
  local kind=$1 folder=build-native/$1 type=RelWithDebInfo sanitize=$1 filter=. repeated='^$'
  # What it does with the widest instruction set, another test does by its name.
  if [[ $kind != thread && $(uname -m) == x86_64 ]]; then repeated='^test_losses$'; fi
  case $kind in
    plain) type=Release sanitize= ;;
    address,undefined) ;;
    thread) filter="^($threaded)\$" ;;
    *)
      echo "test-native.sh: expected plain, address,undefined or thread, got '$kind'" >&2
      exit 2
      ;;
  esac
  cmake -S . -B "$folder" -DCMAKE_BUILD_TYPE=$type -DSAMPLED_SOFTMAX_ADDON=OFF -DSAMPLED_SOFTMAX_TESTS=ON \
    "-DSAMPLED_SOFTMAX_SANITIZE=$sanitize" >"$folder.log" 2>&1 || { cat "$folder.log" >&2; exit 1; }
  cmake --build "$folder" --parallel 2
  # ThreadSanitizer of g++ 12 cannot map its shadow where the kernel randomises 32 bits of an address.
  local launch=()
  if [[ $kind == thread ]] && setarch -R true 2>/dev/null; then launch=(setarch -R); fi
  ASAN_OPTIONS=${ASAN_OPTIONS:-allocator_may_return_null=1} UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1} \
    "${launch[@]}" ctest --test-dir "$folder" --tests-regex "$filter" --exclude-regex "$repeated" --parallel 2 --no-tests=error --output-on-failure --timeout 600
}

mkdir -p build-native
if [[ $# -eq 0 ]]; then set -- plain address,undefined thread; fi
for kind; do run "$kind"; done

#!/usr/bin/env bash
# Builds the CUDA backend on the emulated CUDA runtime (test/cuda-emulator), and the native tests for it, in
# build-native/emulated; the library goes to build/emulated. Says nothing where all is well; does nothing where nothing
# has changed. Usage: build-emulated.sh [--tools]
# --tools only looks for what is needed. Exits with 77, and one line on stdout, where it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/cuda-tools.sh

[[ ${1-} != --tools ]] || exit 0
build=build-native/emulated
mkdir -p "$build"
# Test runs may begin at the same time.
exec 9>"$build.lock"
flock 9
{
  cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DSAMPLED_SOFTMAX_ADDON=OFF -DSAMPLED_SOFTMAX_EMULATED_CUDA=compute_80 &&
    cmake --build "$build" --parallel 2 --target emulated
} >"$build.log" 2>&1 || {
  cat "$build.log" >&2
  exit 1
}

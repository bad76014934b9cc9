#!/usr/bin/env bash
# Packs the package as it would be published, installs the tarball without scripts into an empty project, runs programs
# there, and type checks a strict consumer with the repository's TypeScript and with the oldest one that is supported.
# Usage: test-package.sh [--from-source]   (--from-source: also builds the addon in the consumer's project, as the
# loader's error tells people on other platforms to do, with no nvcc on the PATH)
# Needs prebuilds/ (npm run package:native) and dist/ (npm run build:ts).
set -euo pipefail
cd "$(dirname "$0")/.."

oldest_typescript=5.2.2 # the first with `using`; 5.0 lacks it and 4.9 cannot read the declarations
typescript=$(node -p "require('typescript/package.json').version")
node_types=$(node -p "require('./package.json').devDependencies['@types/node']")

project=$(mktemp -d)
trap 'rm -rf "$project"' EXIT
tarball=$project/$(npm pack --ignore-scripts --silent --pack-destination "$project")
files=$(tar -tzf "$tarball")
prebuilds=prebuilds/linux-$(node -p process.arch)
shipped=(dist/index.js dist/index.d.ts dist/mindspore.js binding.d.ts LICENSE README.md "$prebuilds/sampled-softmax.glibc.node")
cuda=$prebuilds/libsampled_softmax_cuda.so
if [[ -f $cuda ]]; then shipped+=("$cuda"); fi
for file in "${shipped[@]}"; do
  grep -qx "package/$file" <<<"$files" || { echo "test-package: $file is not in the tarball" >&2; exit 1; }
done
if grep -E '\.(node|so)$' <<<"$files" | grep -v '^package/prebuilds/'; then
  echo 'test-package: an addon or a library outside prebuilds/ is in the tarball and would be taken first' >&2
  exit 1
fi
echo "tarball: $(stat -c %s "$tarball") bytes, $(wc -l <<<"$files") files"

cd "$project"
echo '{ "name": "consumer", "private": true, "type": "module" }' >package.json
npm install --ignore-scripts --no-audit --no-fund --silent "$tarball"

cat >program.mjs <<'PROGRAM'
import { LogUniformSampler, sampledSoftmaxLoss } from 'sampled-softmax';
const sampler = new LogUniformSampler({ rangeMax: 1000, numSampled: 20, seed: 1 });
const [weights, inputs] = [new Float32Array(1000 * 8).fill(0.1), new Float32Array(2 * 8).fill(0.5)];
const { loss, gradients } = await sampledSoftmaxLoss({ weights, labels: [3, 7], inputs, numClasses: 1000, sampler, reduction: 'mean', gradients: true });
if (!(loss > 0 && gradients.weights.indices.length === 22)) throw new Error(`loss ${loss}`);
PROGRAM
echo "const { info } = require('sampled-softmax'); const { SampledSoftmaxLoss } = require('sampled-softmax/mindspore');
if (!(info().cpu.threads >= 1) || typeof SampledSoftmaxLoss !== 'function') throw new Error('require');" >program.cjs
# What a machine without a GPU is told; `expected` is part of the reason.
cat >devices.mjs <<'PROGRAM'
import assert from 'node:assert/strict';
import { devices, info, sampledSoftmaxLossSync } from 'sampled-softmax';
const expected = process.argv[2];
const loss = (device) => sampledSoftmaxLossSync({ weights: new Float32Array(80).fill(0.1), labels: [3], inputs: new Float32Array(8), numClasses: 10, numSampled: 4, seed: 1, device }).loss[0];
assert.match(info().cuda.reason, /looked for/);
assert.ok(loss('auto') > 0);
assert.match(info().cuda.reason, /looked for/, 'a call on the CPU has looked for devices');
const unavailable = (error) => error.code === 'ERR_DEVICE_UNAVAILABLE' && error.message.includes(expected);
assert.throws(() => loss('cuda'), unavailable);
assert.deepEqual(devices(), [{ name: 'cpu', type: 'cpu' }]);
assert.equal(info().cuda.available, false);
assert.ok(info().cuda.reason.includes(expected), info().cuda.reason);
assert.equal(loss('auto'), loss('cpu'));
console.log(`without a device: ${info().cuda.reason}`);
PROGRAM
# Nothing but Node on the PATH: no compiler may be needed. No GPU is visible, whether the machine has one or not.
mkdir bin && ln -s "$(command -v node)" bin/node
PATH=$project/bin node program.mjs
PATH=$project/bin node program.cjs
no_library='this build of sampled-softmax has no CUDA library'
# That there is no driver, that it is too old, or that it finds no device.
if [[ -f node_modules/sampled-softmax/$cuda ]]; then reason='NVIDIA driver'; else reason=$no_library; fi
CUDA_VISIBLE_DEVICES='' PATH=$project/bin node devices.mjs "$reason"
echo "programs: ok"

cat >consumer.ts <<'CONSUMER'
import { LogUniformSampler, sampledSoftmaxLoss, SampledSoftmaxRangeError, EmbeddingTable, type SampledValues } from 'sampled-softmax';
import { SampledSoftmaxLoss } from 'sampled-softmax/mindspore';

const sampler = new LogUniformSampler({ rangeMax: 1000, numSampled: 20, seed: 1 });
const weights = new Float32Array(8000);
const inputs = new Float32Array(16);
const result = await sampledSoftmaxLoss({ weights, labels: [3, 7], inputs, numClasses: 1000, sampler, gradients: true });
const losses: Float32Array = result.loss;
const rows: Float32Array = result.gradients.weights.values;
const values: SampledValues = result.sampledValues;
const mean: number = (await sampledSoftmaxLoss({ weights, labels: [3, 7], inputs, numClasses: 1000, sampler, reduction: 'mean' })).loss;
using table: EmbeddingTable = await EmbeddingTable.create({ rows: 10, dim: 8 });
console.log(losses, rows, values, mean, table, SampledSoftmaxLoss, SampledSoftmaxRangeError);
CONSUMER
echo '{
  "compilerOptions": {
    "target": "ES2022", "lib": ["ES2022"], "types": ["node"], "module": "NodeNext", "moduleResolution": "NodeNext",
    "strict": true, "exactOptionalPropertyTypes": true, "skipLibCheck": false, "noEmit": true
  },
  "files": ["consumer.ts"]
}' >tsconfig.json
for version in "$typescript" "$oldest_typescript"; do
  npm install --ignore-scripts --no-audit --no-fund --silent --no-save "typescript@$version" "@types/node@$node_types"
  node node_modules/typescript/bin/tsc -p .
  echo "type check with TypeScript $version: ok"
done

[[ ${1-} == --from-source ]] || exit 0
# The PATH with folders of links in the place of those that have an nvcc.
without_nvcc() {
  local folder folders=() links=$project/without-nvcc
  IFS=: read -ra folders <<<"$PATH"
  for i in "${!folders[@]}"; do
    folder=${folders[i]}
    [[ -x $folder/nvcc ]] || continue
    mkdir -p "$links/$i"
    ln -s "$folder"/* "$links/$i"
    rm "$links/$i/nvcc"
    folders[i]=$links/$i
  done
  (IFS=: && echo "${folders[*]}")
}
rm -rf node_modules/sampled-softmax/prebuilds
message=$(node program.cjs 2>&1 || true)
grep -q 'npm install cmake-js node-addon-api node-api-headers' <<<"$message" || { echo "test-package: no help in: $message" >&2; exit 1; }
npm install --no-audit --no-fund --silent cmake-js node-addon-api node-api-headers
PATH=$(without_nvcc) npm explore sampled-softmax -- npm run build:native >build.log 2>&1 || { cat build.log >&2; exit 1; }
if [[ $(uname -m) == x86_64 ]]; then
  grep -o 'the CUDA library is left out.*' build.log || { echo "test-package: the build does not say that CUDA is left out" >&2; exit 1; }
fi
node program.mjs
node devices.mjs "$no_library"
echo "build from source: ok"

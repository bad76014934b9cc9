#!/usr/bin/env bash
# Packs the package as it would be published, installs the tarball without scripts into an empty project, runs a program
# there, and type checks a strict consumer with the repository's TypeScript and with the oldest one that is supported.
# Usage: test-package.sh [--from-source]   (--from-source: also builds the addon in the consumer's project, as the
# loader's error tells people on other platforms to do)
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
for file in dist/index.js dist/index.d.ts dist/mindspore.js binding.d.ts LICENSE README.md "prebuilds/linux-$(node -p process.arch)/sampled-softmax.glibc.node"; do
  grep -qx "package/$file" <<<"$files" || { echo "test-package: $file is not in the tarball" >&2; exit 1; }
done
if grep -E '\.node$' <<<"$files" | grep -v '^package/prebuilds/'; then
  echo 'test-package: an addon outside prebuilds/ is in the tarball and would be taken first' >&2
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
# Nothing but Node on the PATH: no compiler may be needed.
mkdir bin && ln -s "$(command -v node)" bin/node
PATH=$project/bin node program.mjs
PATH=$project/bin node program.cjs
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
rm -rf node_modules/sampled-softmax/prebuilds
message=$(node program.cjs 2>&1 || true)
grep -q 'npm install cmake-js node-addon-api node-api-headers' <<<"$message" || { echo "test-package: no help in: $message" >&2; exit 1; }
npm install --no-audit --no-fund --silent cmake-js node-addon-api node-api-headers
npm explore sampled-softmax -- npm run build:native >build.log 2>&1 || { cat build.log >&2; exit 1; }
node program.mjs
echo "build from source: ok"

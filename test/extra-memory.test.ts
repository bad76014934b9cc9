// What a call takes beyond its results and the copies of ids that it must make: at most twice the sampled rows and
// 64 MiB, for shapes that strain one buffer each. In a process of its own; only Linux tells the high-water mark.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

interface Shape {
  readonly batch: number;
  readonly dim: number;
  readonly numSampled: number;
  readonly numClasses: number;
  readonly numTrue?: number;
  readonly gradients: false | { readonly mode: string };
}

const body = `
  const { readFileSync, writeFileSync } = await import('node:fs');
  const bytes = (field) => 1024 * Number(new RegExp('^' + field + ':\\\\s*(\\\\d+) kB$', 'm').exec(readFileSync('/proc/self/status', 'utf8'))[1]);
  const size = (value) => ArrayBuffer.isView(value) ? value.byteLength
    : value && typeof value === 'object' ? Object.values(value).map(size).reduce((a, b) => a + b, 0) : 0;
  lib.setThreads(2);
  const run = ({ batch, dim, numSampled, numClasses, numTrue = 1, gradients }) => {
    const ids = (n) => Int32Array.from({ length: n }, (_, i) => (i * 7919) % numClasses);
    const options = {
      weights: new Float32Array(numClasses * dim).fill(0.01), biases: new Float32Array(numClasses).fill(0.1),
      labels: ids(batch * numTrue), inputs: new Float32Array(batch * dim).fill(0.5), numClasses, numTrue, gradients, reduction: 'mean',
      sampledValues: {
        sampledCandidates: ids(numSampled),
        trueExpectedCount: new Float32Array(batch * numTrue).fill(0.5), sampledExpectedCount: new Float32Array(numSampled).fill(0.5),
      },
    };
    writeFileSync('/proc/self/clear_refs', '5');
    const before = bytes('VmRSS');
    const result = lib.sampledSoftmaxLossSync(options);
    return bytes('VmHWM') - before - size(result) - options.labels.byteLength;
  };
  // Code, threads and their stacks belong to no call.
  run({ batch: 16, dim: 8, numSampled: 16, numClasses: 100, gradients: { mode: 'merged' } });
  post(run(SHAPE));
`;

function extraBytes(shape: Shape): number {
  const script = fileURLToPath(new URL('run-with-package.mjs', import.meta.url));
  const args = [script, body.replace('SHAPE', JSON.stringify(shape))];
  return Number(execFileSync(process.execPath, args, { encoding: 'utf8' }).trim().split('\n').at(-1));
}

const sparse = { mode: 'sparse' };
const merged = { mode: 'merged' };

describe.runIf(existsSync('/proc/self/clear_refs'))('the extra memory of a call', () => {
  it.each<[string, Shape]>([
    ['many labels', { batch: 2048, dim: 8, numSampled: 64, numClasses: 50_000, numTrue: 1000, gradients: sparse }],
    ['many labels, merged', { batch: 2048, dim: 8, numSampled: 64, numClasses: 50_000, numTrue: 1000, gradients: merged }],
    ['many rows', { batch: 400_000, dim: 8, numSampled: 100, numClasses: 500_000, gradients: sparse }],
    ['many rows, dense', { batch: 400_000, dim: 8, numSampled: 100, numClasses: 500_000, gradients: { mode: 'dense' } }],
    ['many samples of little', { batch: 16, dim: 1, numSampled: 4_000_000, numClasses: 5_000_000, gradients: sparse }],
    ['very many rows', { batch: 8_000_000, dim: 1, numSampled: 100, numClasses: 1000, gradients: sparse }],
    ['very many rows, merged', { batch: 4_000_000, dim: 1, numSampled: 100, numClasses: 1000, gradients: merged }],
    ['many samples of little, merged', { batch: 2, dim: 1, numSampled: 8_000_000, numClasses: 1000, gradients: merged }],
    ['many samples of little, dense', { batch: 2, dim: 1, numSampled: 8_000_000, numClasses: 9_000_000, gradients: { mode: 'dense' } }],
    ['many samples', { batch: 256, dim: 16, numSampled: 500_000, numClasses: 600_000, gradients: merged }],
    ['long rows', { batch: 64, dim: 8192, numSampled: 512, numClasses: 3000, gradients: sparse }],
    ['very long rows', { batch: 64, dim: 300_000, numSampled: 10, numClasses: 100, gradients: merged }],
    ['no gradients of many rows', { batch: 60_000, dim: 1, numSampled: 20_000, numClasses: 30_000, gradients: false }],
    ['no gradients', { batch: 4096, dim: 32, numSampled: 100_000, numClasses: 200_000, gradients: false }],
  ])('is within its bound with %s', (_, shape) => {
    const limit = 2 * shape.numSampled * shape.dim * 4 + 64 * 2 ** 20;
    expect(extraBytes(shape)).toBeLessThanOrEqual(limit);
  });
});

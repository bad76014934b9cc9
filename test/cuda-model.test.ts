/** The work of the CUDA kernels as bench/cuda-model.ts states it, against what the emulator counts. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { kernels, type Products, type Sizes, type Work } from '../bench/cuda-model.ts';
import { emulated } from './device.ts';
import { inProcess } from './processes.ts';

interface Counted {
  readonly kernel: string;
  readonly read: number;
  readonly written: number;
  readonly sectors: number;
  readonly ops: Readonly<Record<string, number>>;
}

const folder = mkdtempSync(join(tmpdir(), 'sampled-softmax-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs one step on the emulated device, and returns what each kernel did, by its name in the model. */
async function count({ batch, dim, numSampled }: Sizes, multiplied: Products): Promise<Map<string, Counted>> {
  const file = join(folder, `${batch}-${dim}-${numSampled}-${multiplied}.json`);
  const bfloat16 = multiplied === 'bfloat16';
  const body = `
    const numClasses = 5000;
    const random = (n) => Float32Array.from({ length: n }, (_, i) => Math.sin(i * 12.9898) * 0.5);
    const matrix = (rows) => {
      const data = random(rows * ${dim});
      // Of a float32, the upper half.
      return ${bfloat16} ? { data: new Uint16Array(data.buffer).filter((_, i) => i % 2), shape: [rows, ${dim}], dtype: 'bfloat16' } : data;
    };
    lib.sampledSoftmaxLossSync({
      weights: matrix(numClasses), biases: random(numClasses), inputs: matrix(${batch}),
      labels: Int32Array.from({ length: ${batch} }, (_, i) => (i * 7) % numClasses),
      numSampled: ${numSampled}, numClasses, seed: 3, gradients: true, precision: '${multiplied === 'float32' ? 'highest' : 'high'}', device: 'cuda',
    });`;
  const ended = await inProcess(body, { CUEMU_STATS_JSON: file, SAMPLED_SOFTMAX_CUDA_KEPT_BYTES: '' });
  expect(ended.output).toBe('');
  expect(ended.code).toBe(0);
  const all = JSON.parse(readFileSync(file, 'utf8')) as Counted[];
  const names = kernels({ batch, dim, numSampled }, multiplied).map((work) => work.kernel);
  // A mangled name says how long its parts are, so that no name is taken for the end of another.
  return new Map(names.map((name) => [name, all.find(({ kernel }) => kernel.includes(`${name.length + 7}${name}_kernel`)) as Counted]));
}

const total = (ops: Readonly<Record<string, number>>, start: string): number =>
  Object.entries(ops).reduce((sum, [op, n]) => sum + (op.startsWith(start) ? n : 0), 0);

describe.runIf(emulated)('bytes and multiply-adds', () => {
  const shapes: Sizes[] = [
    { batch: 256, dim: 64, numSampled: 512 },
    { batch: 130, dim: 100, numSampled: 700 },
    { batch: 40, dim: 12, numSampled: 1024 },
  ];
  it.each(shapes)('of $batch rows, $dim dims, $numSampled sampled', async (sizes) => {
    const counted = await count(sizes, 'float32');
    for (const work of kernels(sizes)) {
      const seen = counted.get(work.kernel);
      expect(seen, work.kernel).toBeDefined();
      compare(work, seen as Counted);
      if (work.multiplyAdds === 0) continue;
      // Whole tiles of products; the rest are exponentials, at most 16 for each logit that a tile holds.
      const fma = total((seen as Counted).ops, 'fma.rn.f32');
      expect(fma, `${work.kernel}: multiply-adds`).toBeGreaterThanOrEqual(work.multiplyAdds);
      expect(fma, `${work.kernel}: multiply-adds`).toBeLessThanOrEqual(work.multiplyAdds + 16 * 2 * whole(sizes));
    }
  });

  it.each([
    ['tf32', 8],
    ['bfloat16', 16],
  ] as const)('on tensor cores, %s', async (multiplied, depth) => {
    const sizes = { batch: 130, dim: 100, numSampled: 700 };
    const counted = await count(sizes, multiplied);
    for (const work of kernels(sizes, multiplied)) {
      const seen = counted.get(work.kernel) as Counted;
      compare(work, seen);
      const perLane = (16 * 8 * depth) / 32;
      expect(total(seen.ops, 'mma.sync') * perLane, work.kernel).toBe(work.multiplyAdds);
    }
  });
});

/** Logits of whole tiles, each for every tile of dims. */
const whole = ({ batch, dim, numSampled }: Sizes): number =>
  Math.ceil(batch / 128) * 128 * Math.ceil(numSampled / 128) * 128 * Math.ceil(dim / 64);

/** Memory to the byte, but for sectors of 32 bytes at the ends of arrays; of the L2 cache no more than was asked, and most of it. */
function compare(work: Work, seen: Counted): void {
  const memory = work.memory + work.between;
  const touched = seen.read + seen.written;
  expect(Math.abs(touched - memory), `${work.kernel}: ${memory} bytes stated, ${touched} touched`).toBeLessThanOrEqual(0.04 * memory);
  const asked = 32 * seen.sectors;
  expect(work.cache, `${work.kernel}: bytes of the L2 cache`).toBeLessThanOrEqual(asked * 1.0001);
  // What is left out: a sector for each value that all lanes of a warp share, and the maxima of the rows.
  if (work.multiplyAdds > 0) expect(work.cache, `${work.kernel}: bytes of the L2 cache`).toBeGreaterThan(0.6 * asked);
}

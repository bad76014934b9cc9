/** What the processes of test/cuda-traffic.test.ts compute on the emulated device: together they launch every kernel. */
import {
  EmbeddingTable,
  nceLossSync,
  negativeSamplingLossSync,
  sampledLogisticLossSync,
  sampledSoftmaxLossSync,
  softmaxLossSync,
  type DType,
} from '../../lib/index.ts';

// Neither a multiple of a tile's rows nor of its columns.
const [batch, numSampled, numClasses] = [120, 300, 500];
const dtypes: readonly DType[] = ['float32', 'float64', 'float16', 'bfloat16'];

const element = (i: number): number => Math.sin(i * 12.9898) / 2;
const floats = (n: number): Float32Array => Float32Array.from({ length: n }, (_, i) => element(i));
const doubles = (n: number): Float64Array => Float64Array.from({ length: n }, (_, i) => element(i));
const bits = (rows: number, dim: number, dtype: 'float16' | 'bfloat16') => ({
  data: Uint16Array.from({ length: rows * dim }, (_, i) => 0x3000 + ((i * 37) % 256) + (i % 2) * 0x8000),
  shape: [rows, dim],
  dtype,
});
const labels = (numTrue: number): Int32Array => Int32Array.from({ length: batch * numTrue }, (_, i) => (i * 7) % numClasses);

const unbiased = { numSampled, numClasses, seed: 3, labels: labels(1) } as const;
const sampled = { ...unbiased, biases: floats(numClasses) } as const;
const few = { labels: labels(2), numTrue: 2 } as const;
// More than are compared with a sampled class one by one.
const many = { labels: labels(12), numTrue: 12 } as const;
const merged = { gradients: { mode: 'merged' } } as const;
const high = { precision: 'high' } as const;

/** Losses over arrays of the host. */
export function losses(dim: number): void {
  const f32 = { ...sampled, weights: floats(numClasses * dim), inputs: floats(batch * dim) };
  const bf16 = { ...sampled, weights: bits(numClasses, dim, 'bfloat16'), inputs: bits(batch, dim, 'bfloat16') };
  const f16 = { ...sampled, weights: bits(numClasses, dim, 'float16'), inputs: bits(batch, dim, 'float16') };
  const f64 = { ...sampled, weights: doubles(numClasses * dim), inputs: doubles(batch * dim) };
  sampledSoftmaxLossSync({ ...f32, gradients: true });
  sampledSoftmaxLossSync({ ...f32, ...many, ...high, ...merged });
  sampledSoftmaxLossSync({ ...bf16, ...few, ...high, ...merged });
  sampledSoftmaxLossSync({ ...f16, ...few, ...high, ...merged });
  nceLossSync({ ...f32, ...few, gradients: { mode: 'dense' } });
  negativeSamplingLossSync({ ...bf16, ...high, gradients: true });
  negativeSamplingLossSync({ ...f16, ...high, gradients: true });
  sampledLogisticLossSync({ ...f64, gradients: true });
  longBatch(dim);
  const { weights, inputs, biases } = f32;
  softmaxLossSync({ weights, inputs, biases, labels: labels(1), gradients: true });
}

/** As many rows as the sums of class gradients are cut at. */
function longBatch(dim: number): void {
  const rows = 160;
  const ids = Int32Array.from({ length: rows }, (_, i) => (i * 7) % numClasses);
  const options = { numSampled: 32, numClasses, seed: 3, labels: ids, gradients: true } as const;
  sampledSoftmaxLossSync({ ...options, weights: floats(numClasses * dim), inputs: floats(rows * dim) });
  sampledSoftmaxLossSync({ ...options, weights: doubles(numClasses * dim), inputs: doubles(rows * dim) });
}

/** Rows in and out of tables of every dtype, losses over tables, and gradients that stay on the device. */
export function tables(dim: number): void {
  const indices = Int32Array.from({ length: 200 }, (_, i) => (i * 7) % 150); // some of them twice
  const distinct = Int32Array.from({ length: 200 }, (_, i) => (i * 7) % numClasses);
  for (const dtype of dtypes) {
    const [table] = (['uniform', 'normal', 'truncatedNormal', 'glorotUniform'] as const).map((init) =>
      EmbeddingTable.createSync({ rows: numClasses, dim, dtype, init, seed: 1 }),
    ) as [EmbeddingTable];
    table.readSync(indices);
    for (const values of [floats(200 * dim), doubles(200 * dim), bits(200, dim, 'float16'), bits(200, dim, 'bfloat16')]) {
      table.writeSync(distinct, values);
      table.addSync({ indices, values }, -0.1);
    }
    // float16 beside floats: the rows of the table are converted.
    const inputs = dtype === 'float64' ? doubles(batch * dim) : dtype === 'bfloat16' ? bits(batch, dim, dtype) : floats(batch * dim);
    const { gradients } = sampledSoftmaxLossSync({
      ...unbiased,
      ...high,
      weights: table,
      inputs,
      gradients: { mode: 'merged', onDevice: true },
    });
    table.addSync(gradients.weights, -0.1);
    if (dtype === 'float32') softmaxLossSync({ weights: table, inputs, labels: labels(1) });
  }
}

/** Where the logits of all columns would not fit, SAMPLED_SOFTMAX_CUDA_KEPT_BYTES: sums of input gradients are added to. */
export function chunks(): void {
  const dim = 64;
  const f32 = { ...sampled, weights: floats(numClasses * dim), inputs: floats(batch * dim), gradients: true } as const;
  sampledSoftmaxLossSync(f32);
  sampledSoftmaxLossSync({ ...f32, ...high });
  sampledSoftmaxLossSync({
    ...f32,
    ...high,
    weights: bits(numClasses, dim, 'bfloat16'),
    inputs: bits(batch, dim, 'bfloat16'),
  });
  sampledSoftmaxLossSync({ ...f32, weights: doubles(numClasses * dim), inputs: doubles(batch * dim) });
}

/** Tables whose rows are one element: each begins at 16 bytes. */
export function biases(): void {
  const dim = 8;
  const weights = EmbeddingTable.createSync({ rows: numClasses, dim });
  for (const inputs of [floats(batch * dim), doubles(batch * dim)]) {
    for (const dtype of dtypes) {
      const table = EmbeddingTable.fromValuesSync({ data: floats(numClasses), shape: [numClasses, 1] }, { dtype });
      const call = { ...unbiased, weights, biases: table, inputs };
      const { gradients } = sampledSoftmaxLossSync({ ...call, gradients: { mode: 'merged', onDevice: true } });
      table.addSync(gradients.biases, -0.1);
    }
  }
}

/** TensorFlow 2.21's own outputs: losses and gradients of sampled softmax, NCE and the full softmax. */
import { describe, expect, it } from 'vitest';
import { nceLoss, nceLossSync, sampledSoftmaxLoss, sampledSoftmaxLossSync, softmaxLoss, type RowGradients } from '../lib/index.ts';
import { expectClose, floats, golden, ids, split, type GoldenArray } from './arrays.ts';

interface LossCase {
  name: string;
  op: 'sampled_softmax_loss' | 'nce_loss';
  dim: number;
  numClasses: number;
  numSampled: number;
  numTrue: number;
  removeAccidentalHits: boolean;
  numShards: number;
  partitionStrategy: 'mod' | 'div';
  weights: GoldenArray;
  biases: GoldenArray;
  inputs: GoldenArray;
  labels: GoldenArray;
  sampledValues: Record<'sampledCandidates' | 'trueExpectedCount' | 'sampledExpectedCount', GoldenArray>;
  losses: GoldenArray;
  gradients: Record<'weights' | 'biases' | 'inputs', GoldenArray>;
}

const cases = golden<LossCase[]>('losses');

function optionsOf(c: LossCase) {
  const weights = floats(c.weights);
  const biases = floats(c.biases);
  const sharded = c.numShards > 1;
  return {
    weights: sharded ? split(weights, c.numShards, c.partitionStrategy, c.dim) : weights,
    biases: sharded ? split(biases, c.numShards, c.partitionStrategy, 1) : biases,
    labels: ids(c.labels),
    inputs: floats(c.inputs),
    numSampled: c.numSampled,
    numClasses: c.numClasses,
    numTrue: c.numTrue,
    sampledValues: {
      sampledCandidates: ids(c.sampledValues.sampledCandidates),
      trueExpectedCount: floats(c.sampledValues.trueExpectedCount),
      sampledExpectedCount: floats(c.sampledValues.sampledExpectedCount),
    },
    removeAccidentalHits: c.removeAccidentalHits,
    partitionStrategy: c.partitionStrategy,
    compat: 'tensorflow',
  } as const;
}

/** Adds the rows up into the dense gradient of one shard. */
function toDense(gradient: RowGradients, width: number): Float64Array {
  const dense = new Float64Array((gradient.denseShape[0] as number) * width);
  gradient.indices.forEach((row: number | bigint, i: number) => {
    for (let k = 0; k < width; k++) dense[Number(row) * width + k]! += gradient.values[i * width + k] as number;
  });
  return dense;
}

describe.each(cases)('$name', (c) => {
  const tolerance = c.weights.dtype === 'float64' ? 1e-12 : 4e-6;
  const sharded = c.numShards > 1;
  const parts = (array: GoldenArray, width: number): (Float32Array | Float64Array)[] =>
    sharded ? split(floats(array), c.numShards, c.partitionStrategy, width) : [floats(array)];

  it.each(['dense', 'sparse', 'merged'] as const)('loss and %s gradients', async (mode) => {
    const call = c.op === 'nce_loss' ? nceLoss : sampledSoftmaxLoss;
    const { loss, gradients } = await call({ ...optionsOf(c), gradients: { mode } });
    expectClose(loss, floats(c.losses), tolerance, 'loss');
    expectClose(gradients.inputs, floats(c.gradients.inputs), tolerance, 'gradients.inputs');
    for (const [name, width] of [
      ['weights', c.dim],
      ['biases', 1],
    ] as const) {
      const got = (sharded ? gradients[name] : [gradients[name]]) as (RowGradients | Float32Array)[];
      parts(c.gradients[name], width).forEach((want, shard) => {
        const part = got[shard] as RowGradients | Float32Array;
        expectClose('values' in part && 'indices' in part ? toDense(part, width) : part, want, tolerance, `${name} ${shard}`);
      });
    }
  });

  it('Sync form gives the same bits', async () => {
    const [later, now] = c.op === 'nce_loss' ? [nceLoss, nceLossSync] : [sampledSoftmaxLoss, sampledSoftmaxLossSync];
    expect(now({ ...optionsOf(c), gradients: true })).toEqual(await later({ ...optionsOf(c), gradients: true }));
  });
});

interface SoftmaxCase {
  weights: GoldenArray;
  biases: GoldenArray;
  inputs: GoldenArray;
  labels: GoldenArray;
  losses: GoldenArray;
  gradients: Record<'weights' | 'biases' | 'inputs', GoldenArray>;
}

describe.each(golden<SoftmaxCase[]>('full-softmax').map((c, i) => ({ c, i })))('full softmax $i', ({ c }) => {
  it('loss and gradients', async () => {
    const { loss, gradients } = await softmaxLoss({
      weights: floats(c.weights),
      biases: floats(c.biases),
      labels: ids(c.labels),
      inputs: floats(c.inputs),
      numClasses: c.weights.shape[0],
      gradients: true,
    });
    expectClose(loss, floats(c.losses), 4e-6, 'loss');
    expectClose(gradients.inputs, floats(c.gradients.inputs), 4e-6, 'inputs');
    expectClose(gradients.weights, floats(c.gradients.weights), 4e-6, 'weights');
    expectClose(gradients.biases, floats(c.gradients.biases), 4e-6, 'biases');
  });
});

/**
 * TensorFlow's own unit tests (nn_test.py ComputeSampledLogitsTest, candidate_sampler_ops_test.py, contrib's
 * sampling_ops_test.py) said anew: their data, drawn by NumPy with seed 0, and a reference for every number.
 */
import { describe, expect, it } from 'vitest';
import {
  allCandidateSampler,
  computeAccidentalHits,
  logUniformCandidateSampler,
  nceLossSync,
  negativeSamplingLossSync,
  sampledLogisticLossSync,
  sampledSoftmaxLossSync,
  type RowGradients,
} from '../lib/index.ts';
import { expectClose, golden, split } from './arrays.ts';

interface Data {
  labels: number[];
  weights: number[];
  biases: number[];
  inputs: number[];
}

const data = golden<Record<'losses' | `numTrue${number}`, Data>>('tensorflow-nn-test');
const [numClasses, dim, batch] = [5, 10, 3];
const sampled = [1, 0, 2, 3];

const optionsOf = ({ labels, weights, biases, inputs }: Data, counts = 0.5) => ({
  labels,
  weights: Float32Array.from(weights),
  biases: Float32Array.from(biases),
  inputs: Float32Array.from(inputs),
  numClasses,
  numTrue: labels.length / batch,
  // One count per row, as in TensorFlow's tests, for any number of true classes.
  sampledValues: {
    sampledCandidates: sampled,
    trueExpectedCount: new Float32Array(batch).fill(counts),
    sampledExpectedCount: new Float32Array(sampled.length).fill(counts),
  },
});

const shardedOf = (whole: ReturnType<typeof optionsOf>) => ({
  ...whole,
  weights: split(whole.weights, 3, 'div', dim),
  biases: split(whole.biases, 3, 'div', 1),
  partitionStrategy: 'div' as const,
});

/** The logits and labels `[batch, numTrue + sampled]` of the definition; hits at -Infinity where they are left out. */
function referenceLogits(
  { labels, weights, biases, inputs }: Data,
  logQ: number,
  removeHits: boolean,
): { logits: number[]; targets: number[] }[] {
  const numTrue = labels.length / batch;
  return Array.from({ length: batch }, (_, i) => {
    const logit = (c: number): number => {
      let sum = biases[c] as number;
      for (let k = 0; k < dim; k++) sum += (inputs[i * dim + k] as number) * (weights[c * dim + k] as number);
      return sum - logQ;
    };
    const own = labels.slice(i * numTrue, (i + 1) * numTrue);
    const others = sampled.map((c) => (removeHits && own.includes(c) ? -Infinity : logit(c)));
    return { logits: [...own.map(logit), ...others], targets: [...own.map(() => 1 / numTrue), ...sampled.map(() => 0)] };
  });
}

const softmaxReference = (rows: ReturnType<typeof referenceLogits>): number[] =>
  rows.map(({ logits, targets }) => {
    const max = Math.max(...logits);
    const total = logits.reduce((sum, z) => sum + Math.exp(z - max), 0);
    return targets.reduce((loss, y, k) => (y ? loss - y * ((logits[k] as number) - max - Math.log(total)) : loss), 0);
  });

const sigmoidReference = (rows: ReturnType<typeof referenceLogits>): number[] =>
  rows.map(({ logits, targets }) =>
    logits.reduce(
      (loss, z, k) => (z === -Infinity ? loss : loss + Math.max(z, 0) - z * (targets[k] as number) + Math.log1p(Math.exp(-Math.abs(z)))),
      0,
    ),
  );

describe.each([1, 2, 3, 4])('ComputeSampledLogits with %i true classes', (numTrue) => {
  const own = data[`numTrue${numTrue}`]!;
  const options = optionsOf(own);

  it('testShapes: one loss per row, one gradient row per label and sampled class', () => {
    const { loss, gradients } = sampledSoftmaxLossSync({ ...options, gradients: true });
    expect(loss).toHaveLength(batch);
    expect(Array.from(gradients.weights.indices as Int32Array)).toEqual([...own.labels, ...sampled]);
    expect(gradients.weights.values).toHaveLength((batch * numTrue + sampled.length) * dim);
    expect(gradients.biases.values).toHaveLength(batch * numTrue + sampled.length);
  });
  it('testBasic: neither log q nor hits', () => {
    expectClose(negativeSamplingLossSync(options).loss, sigmoidReference(referenceLogits(own, 0, false)), 1e-6);
    const flat = optionsOf(own, 1);
    expectClose(
      sampledSoftmaxLossSync({ ...flat, removeAccidentalHits: false }).loss,
      softmaxReference(referenceLogits(own, 0, false)),
      1e-6,
    );
  });
  it('testAccidentalHitRemoval: a hit has no part in its row', () => {
    for (let row = 0; row < batch; row++) {
      const labels = own.labels.slice(row * numTrue, (row + 1) * numTrue);
      const one = {
        ...options,
        labels,
        inputs: options.inputs.slice(row * dim, (row + 1) * dim),
        sampledValues: { ...options.sampledValues, trueExpectedCount: [0.5] },
        removeAccidentalHits: true,
        gradients: true,
      } as const;
      for (const call of [sampledSoftmaxLossSync, nceLossSync, negativeSamplingLossSync]) {
        const { values } = call(one).gradients.biases;
        sampled.forEach((c, s) => {
          expect((values[numTrue + s] as number) === 0, `class ${c}`).toBe(labels.includes(c));
        });
      }
    }
    const removed = { ...options, removeAccidentalHits: true };
    expectClose(negativeSamplingLossSync(removed).loss, sigmoidReference(referenceLogits(own, 0, true)), 1e-6);
    expectClose(sampledSoftmaxLossSync(removed).loss, softmaxReference(referenceLogits(own, Math.log(0.5), true)), 1e-6);
  });
  it('testSubtractLogQ', () => {
    const rows = referenceLogits(own, Math.log(0.5), false);
    expectClose(nceLossSync(options).loss, sigmoidReference(rows), 1e-6);
    expectClose(sampledSoftmaxLossSync({ ...options, removeAccidentalHits: false }).loss, softmaxReference(rows), 1e-6);
    expectClose(sampledLogisticLossSync(options).loss, sigmoidReference(referenceLogits(own, Math.log(0.5), true)), 1e-6);
  });
  it('testSharded: three shards, div', () => {
    for (const call of [sampledSoftmaxLossSync, nceLossSync, negativeSamplingLossSync, sampledLogisticLossSync]) {
      const whole = call({ ...options, gradients: { mode: 'dense' } });
      const parts = call({ ...shardedOf(options), gradients: { mode: 'dense' } });
      expect(parts.loss).toEqual(whole.loss);
      expect(parts.gradients.weights).toEqual(split(whole.gradients.weights, 3, 'div', dim));
    }
  });
});

describe('the losses', () => {
  const options = optionsOf(data.losses);
  const [kept, removed] = [{ removeAccidentalHits: false }, { removeAccidentalHits: true }];
  // TensorFlow 2.21's outputs for this data.
  it.each([
    ['testSampledSoftmaxLoss', sampledSoftmaxLossSync, kept, [1.6488788, 3.8896723, 0.9087771]],
    ['testSampledSoftmaxLoss, hits removed', sampledSoftmaxLossSync, removed, [1.4353571, 3.8690083, 0.39291075]],
    ['testNCELoss', nceLossSync, kept, [2.8258057, 4.566373, 5.5665183]],
    ['testNCELoss, hits removed', nceLossSync, removed, [2.364158, 4.38443, 2.8010283]],
  ] as const)('%s', (_, call, hits, want) => {
    expectClose(call({ ...options, ...hits }).loss, want, 4e-7);
    expect(call({ ...shardedOf(options), ...hits }).loss).toEqual(call({ ...options, ...hits }).loss);
  });
  it('testSampledSoftmaxLossBf16', () => {
    const bfloat16 = (values: Float32Array, shape: number[]) => {
      const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
      return { data: Uint16Array.from(bits, (word) => (word + 0x8000) >>> 16), shape, dtype: 'bfloat16' as const };
    };
    const { loss } = sampledSoftmaxLossSync({
      ...options,
      weights: bfloat16(options.weights, [numClasses, dim]),
      biases: bfloat16(options.biases, [numClasses]),
      inputs: bfloat16(options.inputs, [batch, dim]),
      removeAccidentalHits: false,
    });
    [1.6488788, 3.8896723, 0.9087771].forEach((want, i) => {
      expect(Math.abs((loss[i] as number) - want)).toBeLessThan(0.1);
    });
  });
});

describe('candidate sampler ops', () => {
  const trueClasses = [1, 2, 0, 4, 3, 3];
  it('testSampledCandidates, testTrueLogExpectedCount, testSampledLogExpectedCount', () => {
    const sample = allCandidateSampler({ trueClasses, numTrue: 2, numSampled: 5 });
    expect(sample.sampledCandidates).toEqual(Int32Array.of(0, 1, 2, 3, 4));
    expect(sample.trueExpectedCount.map(Math.log)).toEqual(new Float32Array(6));
    expect(sample.sampledExpectedCount.map(Math.log)).toEqual(new Float32Array(5));
  });
  it('testAccidentalHits', () => {
    const { sampledCandidates } = allCandidateSampler({ trueClasses, numTrue: 2, numSampled: 5 });
    const hits = computeAccidentalHits({ trueClasses, sampledCandidates, numTrue: 2 });
    expect(hits.ids).toHaveLength(hits.indices.length);
    expect(hits.weights).toHaveLength(hits.indices.length);
    hits.indices.forEach((row, k) => {
      expect(trueClasses.slice(2 * row, 2 * row + 2)).toContain(sampledCandidates[hits.ids[k]!]);
      expect(hits.weights[k]).toBeLessThan(-1e37);
    });
    expect(hits.indices).toHaveLength(6); // every true class is a candidate
  });
  it('testSeed', () => {
    const options = { trueClasses, numTrue: 2, numSampled: 5 };
    for (const seed of [1, 12, 123, 1234]) {
      expect(logUniformCandidateSampler({ ...options, rangeMax: 5, seed })).toEqual(
        logUniformCandidateSampler({ ...options, rangeMax: 5, seed }),
      );
    }
    // TensorFlow has range 5 here too, where two random draws are often alike; this range leaves nothing to chance.
    const draws = Array.from({ length: 20 }, () =>
      String(logUniformCandidateSampler({ ...options, rangeMax: 1_000_000 }).sampledCandidates),
    );
    expect(new Set(draws).size).toBe(20);
  });
});

describe('the inner loss of rank_sampled_softmax_loss', () => {
  const weights = Float32Array.from({ length: 50 }, (_, i) => Math.floor(i / 5) + 0.1 * (i % 5));
  const biases = Float32Array.from({ length: 10 }, (_, i) => i / 10);
  const options = {
    weights,
    biases,
    labels: [0, 1, 1, 2],
    inputs: Float32Array.of(0, 1, 2, 3, 4, 10, 11, 12, 13, 14),
    numTrue: 2,
    numClasses: 10,
    sampledValues: { sampledCandidates: [5, 6, 7], trueExpectedCount: [0.5, 0.5, 0.5, 0.5], sampledExpectedCount: [0.5, 0.5, 0.5] },
    gradients: true,
  } as const;
  const want = [65.65004, 330.55];

  it('on the classes that were kept', () => {
    expectClose(sampledSoftmaxLossSync(options).loss, want, 1e-7);
  });
  it.each(['mod', 'div'] as const)('with weights, and with weights and biases, over five shards: %s', (partitionStrategy) => {
    const whole = sampledSoftmaxLossSync(options);
    const weightShards = { ...options, weights: split(weights, 5, partitionStrategy, 5), partitionStrategy };
    const allShards = { ...weightShards, biases: split(biases, 5, partitionStrategy, 1) };
    for (const sharded of [weightShards, allShards]) {
      const { loss, gradients } = sampledSoftmaxLossSync(sharded);
      expect(loss).toEqual(whole.loss);
      expect(gradients.weights.reduce((rows, part) => rows + (part as RowGradients).count, 0)).toBe(whole.gradients.weights.count);
    }
  });
  it('does not take what the other strategy has dealt out for the same', () => {
    const dealt = { ...options, weights: split(weights, 5, 'mod', 5), partitionStrategy: 'div' as const };
    expect(sampledSoftmaxLossSync(dealt).loss).not.toEqual(sampledSoftmaxLossSync(options).loss);
  });
});

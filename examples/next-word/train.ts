/** The training loop: a batch of positions, one call of the package, three Adagrad steps. */
import {
  LogUniformSampler,
  nceLoss,
  negativeSamplingLoss,
  sampledLogisticLoss,
  sampledSoftmaxLoss,
  type LossResult,
} from 'sampled-softmax';
import { Adagrad } from './adagrad.ts';
import { historyLength, type Words } from './corpus.ts';
import { embeddingGradients, meanEmbeddings, nextWords, type Model } from './model.ts';
import { shuffle } from './random.ts';
import { RowMerger } from './row-merger.ts';

/** What every step passes to its loss. */
interface Step {
  readonly weights: Float32Array;
  readonly biases: Float32Array;
  readonly labels: Int32Array;
  readonly inputs: Float32Array;
  readonly sampler: LogUniformSampler;
  readonly reduction: 'sum';
  readonly gradients: { readonly mode: 'merged' };
}

const losses = {
  'sampled-softmax': sampledSoftmaxLoss,
  nce: nceLoss,
  'sampled-logistic': sampledLogisticLoss,
  'negative-sampling': negativeSamplingLoss,
} satisfies Record<string, (step: Step) => Promise<LossResult<Step>>>;

export type LossName = keyof typeof losses;

export const lossNames = Object.keys(losses) as LossName[];

const batchSize = 1024;
const learningRate = 0.3;

export interface Progress {
  readonly rows: number;
  /** Mean of the batch's losses. */
  readonly loss: number;
}

/**
 * Trains `model` in place.
 *
 * Batches are cut from all positions in a random order. The word at a position is its label; the negatives are
 * shared by the batch. Gradients are those of the sum over the batch, so that a rare word's share of them does not shrink
 * with the batch.
 */
export async function train(
  model: Model,
  words: Words,
  { loss, epochs, numSampled, seed }: { loss: LossName; epochs: number; numSampled: number; seed: number },
  random: () => number,
  report: (progress: Progress) => void,
): Promise<void> {
  const { size, dim, embeddings, weights, biases } = model;
  const lossOf: (step: Step) => Promise<LossResult<Step>> = losses[loss];
  const sampler = new LogUniformSampler({ rangeMax: size, numSampled, seed });
  // Negative sampling learns log(P / Q): Q is taken out of the biases for the training, and put back for the softmax.
  const logQ = loss === 'negative-sampling' ? logExpectedCounts(sampler, size) : new Float64Array(size);
  logQ.forEach((q, id) => ((biases[id] as number) -= q));
  const embeddingSteps = new Adagrad(embeddings, dim, learningRate);
  const weightSteps = new Adagrad(weights, dim, learningRate);
  const biasSteps = new Adagrad(biases, 1, learningRate);
  const merger = new RowMerger(size, dim, batchSize * historyLength);
  const order = Int32Array.from(words.ids, (_, position) => position);
  const total = order.length * epochs;
  let done = 0;
  for (let epoch = 0; epoch < epochs; epoch++) {
    shuffle(order, random);
    for (let from = 0; from < order.length; from += batchSize) {
      const positions = order.subarray(from, from + batchSize);
      const inputs = meanEmbeddings(model, words, positions);
      const labels = nextWords(words, positions);
      const result = await lossOf({ weights, biases, labels, inputs, sampler, reduction: 'sum', gradients: { mode: 'merged' } });
      const { gradients } = result;
      const scale = 1 - done / total;
      weightSteps.step(gradients.weights, scale);
      biasSteps.step(gradients.biases, scale);
      embeddingSteps.step(embeddingGradients(merger, words, positions, gradients.inputs), scale);
      done += positions.length;
      report({ rows: done, loss: result.loss / positions.length });
    }
  }
  logQ.forEach((q, id) => ((biases[id] as number) += q));
  sampler.dispose();
}

/** The log of how often each word is to be expected in a sample. */
function logExpectedCounts(sampler: LogUniformSampler, size: number): Float64Array {
  const everyWord = Int32Array.from({ length: size }, (_, id) => id);
  return Float64Array.from(sampler.sample({ trueClasses: everyWord, numTrue: 1 }).trueExpectedCount, Math.log);
}

/** The model: the mean of the embeddings of the words before, and an output layer over the whole vocabulary. */
import { historyLength, type Corpus, type Words } from './corpus.ts';
import type { RowMerger, Rows } from './row-merger.ts';

export interface Model {
  readonly size: number;
  readonly dim: number;
  /** `[size, dim]`: words as input. */
  readonly embeddings: Float32Array;
  /** `[size, dim]`: words as output, the classes of the softmax. */
  readonly weights: Float32Array;
  /** `[size]` */
  readonly biases: Float32Array;
}

/**
 * Small random embeddings, and an output layer that knows nothing but how frequent each word is: training starts at the
 * perplexity of the unigram model.
 */
export function createModel(unigram: Float64Array, dim: number, random: () => number): Model {
  const size = unigram.length;
  return {
    size,
    dim,
    embeddings: Float32Array.from({ length: size * dim }, () => 0.2 * random() - 0.1),
    weights: new Float32Array(size * dim),
    biases: Float32Array.from(unigram, Math.log),
  };
}

/**
 * How probable each word is without knowing its history, `[size]`: its share of the training texts, with one added to
 * every count so that `<unk>` cannot have a probability of zero.
 */
export function unigramProbabilities({ counts }: Corpus): Float64Array {
  const total = counts.reduce((sum, count) => sum + count, counts.length);
  return Float64Array.from(counts, (count) => (count + 1) / total);
}

/** Row i becomes the mean embedding of the words before `positions[i]`; zeros at the start of a text. */
export function meanEmbeddings({ embeddings, dim }: Model, { ids, history }: Words, positions: Int32Array): Float32Array {
  const means = new Float32Array(positions.length * dim);
  const rows = new Int32Array(historyLength);
  for (let row = 0, to = 0; row < positions.length; row++) {
    const position = positions[row] as number;
    const length = history[position] as number;
    for (let back = 0; back < length; back++) rows[back] = (ids[position - 1 - back] as number) * dim;
    const share = length === 0 ? 0 : 1 / length;
    // Elements outside, words inside: one store an element instead of eight.
    for (let d = 0; d < dim; d++, to++) {
      let sum = 0;
      for (let back = 0; back < length; back++) sum += embeddings[(rows[back] as number) + d] as number;
      means[to] = share * sum;
    }
  }
  return means;
}

/** The other way: each word before `positions[i]` gets its share of the gradient of row i. */
export function embeddingGradients(merger: RowMerger, { ids, history }: Words, positions: Int32Array, gradients: Float32Array): Rows {
  merger.clear();
  for (let row = 0; row < positions.length; row++) {
    const position = positions[row] as number;
    const length = history[position] as number;
    for (let back = 1; back <= length; back++) merger.add(ids[position - back] as number, gradients, row, 1 / length);
  }
  return merger.rows();
}

/** The words at the positions, which the words before them are to predict: the labels. */
export function nextWords({ ids }: Words, positions: Int32Array): Int32Array {
  return positions.map((position) => ids[position] as number);
}

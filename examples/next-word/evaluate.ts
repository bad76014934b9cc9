/** Perplexity on held-out texts: of the model with its full softmax, and of guessing by word frequency. */
import { softmaxLoss } from 'sampled-softmax';
import type { Words } from './corpus.ts';
import { meanEmbeddings, nextWords, type Model } from './model.ts';

/** Rows per call: enough to keep all threads at work, few enough that inputs stay small. */
const rowsPerCall = 4096;

/** exp of the mean loss over every word, each predicted by the softmax over the whole vocabulary. */
export async function modelPerplexity(model: Model, words: Words): Promise<number> {
  const { weights, biases } = model;
  const positions = Int32Array.from(words.ids, (_, position) => position);
  let sum = 0;
  for (let from = 0; from < positions.length; from += rowsPerCall) {
    const part = positions.subarray(from, from + rowsPerCall);
    const inputs = meanEmbeddings(model, words, part);
    const { loss } = await softmaxLoss({ weights, biases, labels: nextWords(words, part), inputs, reduction: 'sum' });
    sum += loss;
  }
  return Math.exp(sum / positions.length);
}

/** The same figure for a model that gives each word its share of the training texts, whatever came before. */
export function unigramPerplexity(unigram: Float64Array, words: Words): number {
  const sum = words.ids.reduce((loss, id) => loss - Math.log(unigram[id] as number), 0);
  return Math.exp(sum / words.ids.length);
}

/**
 * Trains a model that predicts the next word, on the State of the Union addresses or on texts of your own: the mean of
 * the embeddings of the last 8 words, a sampled softmax over the whole vocabulary, and Adagrad on the rows that were
 * touched. Run it with `npm run demo -- --help`.
 */
import { info } from 'sampled-softmax';
import { buildCorpus, minCount, readAddresses, readFolder, unknown, type Corpus, type Words } from './next-word/corpus.ts';
import { modelPerplexity, unigramPerplexity } from './next-word/evaluate.ts';
import { createModel, unigramProbabilities, type Model } from './next-word/model.ts';
import { nearestRows } from './next-word/neighbours.ts';
import { help, readOptions, type Options } from './next-word/options.ts';
import { TrainingBar } from './next-word/progress.ts';
import { randomNumbers } from './next-word/random.ts';
import { writeSafetensors } from './next-word/safetensors.ts';
import { train } from './next-word/train.ts';
import { UsageError } from './next-word/usage-error.ts';

/** Neighbours come from the most frequent words: rare ones have moved little from where they started at random. */
const neighbourLimit = 5000;

/** Asked for their neighbours where the texts know them; otherwise the most frequent words of some length are. */
const askedFor = ['war', 'congress', 'california', 'schools', 'money', 'january'];

try {
  const options = readOptions(process.argv.slice(2));
  if (options === 'help') process.stdout.write(help);
  else await run(options);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`next-word: ${error.message}\n`);
  process.exitCode = 2;
}

async function run(options: Options): Promise<void> {
  const started = performance.now();
  const corpus = buildCorpus(options.text === undefined ? readAddresses() : readFolder(options.text));
  const numSampled = chooseSampled(options.sampled, corpus.vocabulary.length);
  describe(corpus);

  const random = randomNumbers(options.seed);
  const unigram = unigramProbabilities(corpus);
  const model = createModel(unigram, options.dim, random);
  const { version, cpu } = info();
  say(`${options.loss} with ${numSampled} negatives a batch: sampled-softmax ${version}, ${cpu.threads} threads, ${cpu.instructionSet}`);
  const bar = new TrainingBar(corpus.training.ids.length * options.epochs);
  await train(model, corpus.training, { ...options, numSampled }, random, (progress) => bar.update(progress));
  bar.stop();

  say(`Perplexity over all ${count(corpus.heldOut.ids.length)} held-out words, ${unknown} counted as a word like any other:`);
  say(`  unigram (word frequencies)  ${unigramPerplexity(unigram, corpus.heldOut).toFixed(1).padStart(8)}`);
  say(`  this model, full softmax    ${(await modelPerplexity(model, corpus.heldOut)).toFixed(1).padStart(8)}`);
  showNeighbours(corpus, model);
  save(options.out, corpus, model);
  say(`Everything took ${((performance.now() - started) / 1000).toFixed(0)} s.`);
}

function chooseSampled(asked: number | undefined, size: number): number {
  if (asked === undefined) return Math.min(1024, Math.ceil(size / 4));
  if (asked <= size) return asked;
  throw new UsageError(`--sampled: ${asked} is more than the ${size} words of the vocabulary`);
}

function describe({ vocabulary, training, heldOut, trainingTexts, heldOutTexts }: Corpus): void {
  const id = vocabulary.indexOf(unknown);
  const share = ({ ids }: Words): string => `${((100 * ids.filter((word) => word === id).length) / ids.length).toFixed(1)} %`;
  say(
    `Training on ${trainingTexts} texts, ${count(training.ids.length)} words; held out: the last ${heldOutTexts}, ${count(heldOut.ids.length)} words.`,
  );
  say(
    `The vocabulary is the ${count(vocabulary.length - 1)} words seen at least ${minCount} times in training; ` +
      `others are ${unknown} (${share(training)} of the training words, ${share(heldOut)} of those held out).`,
  );
}

function showNeighbours({ vocabulary }: Corpus, { embeddings, dim, size }: Model): void {
  const limit = Math.min(size, neighbourLimit);
  const asked = askedFor.map((word) => vocabulary.indexOf(word));
  const common = vocabulary.flatMap((word, id) => (word.length > 5 && word !== unknown ? [id] : []));
  const rows = [...asked.filter((id) => id >= 0), ...common].filter((id) => id < limit).slice(0, askedFor.length);
  say('Nearest neighbours by the cosine of the embeddings:');
  nearestRows(embeddings, dim, rows, 6, limit).forEach((others, i) => {
    say(`  ${(vocabulary[rows[i] as number] as string).padEnd(12)} ${others.map((id) => vocabulary[id]).join(', ')}`);
  });
}

function save(file: string, { vocabulary }: Corpus, { size, dim, embeddings, weights, biases }: Model): void {
  const tensors = {
    embeddings: { data: embeddings, shape: [size, dim] },
    'output.weights': { data: weights, shape: [size, dim] },
    'output.biases': { data: biases, shape: [size] },
  };
  writeSafetensors(file, tensors, { vocabulary: vocabulary.join('\n') });
  say(`Wrote the embeddings, the output layer and the vocabulary to ${file}.`);
}

function count(value: number): string {
  return value.toLocaleString('en');
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

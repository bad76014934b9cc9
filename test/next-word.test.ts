/** The demo as a user runs it: a process with flags, on a folder of tiny texts. */
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildCorpus, split } from '../examples/next-word/corpus.ts';
import { nearestRows } from '../examples/next-word/neighbours.ts';
import { readOptions } from '../examples/next-word/options.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'next-word-'));
const texts = join(folder, 'texts');
const unreadable = join(folder, 'unreadable');
const out = join(folder, 'words.safetensors');

const demo = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
  spawnSync(process.execPath, ['--import', 'tsx', 'examples/next-word.ts', ...args], { cwd: root, encoding: 'utf8', timeout: 120_000 });

/** Twelve texts of proverbs in a changing order: a history tells much about the next word, frequencies tell little. */
const proverbs = [
  'a stitch in time saves nine',
  'the early bird catches the worm',
  'all that glitters is not gold',
  'when in rome do as romans do',
  "don't count your chickens before they hatch",
  'birds of a feather flock together',
  'actions speak louder than words',
];

beforeAll(() => {
  mkdirSync(texts);
  mkdirSync(unreadable);
  mkdirSync(join(folder, 'a-folder.txt'));
  symlinkSync('nowhere', join(unreadable, 'x.txt'));
  for (let file = 0; file < 12; file++) {
    const lines = Array.from({ length: 60 }, (_, i) => proverbs[(i * i + file * i) % proverbs.length]);
    writeFileSync(join(texts, `${String(file).padStart(2, '0')}.txt`), `${lines.join('. ')}.\n`);
  }
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

function perplexities(stdout: string): { unigram: number; model: number } {
  const figure = (line: RegExp): number => Number(line.exec(stdout)?.[1]?.replaceAll(',', ''));
  return { unigram: figure(/unigram.*\s([\d.,]+)$/m), model: figure(/this model.*\s([\d.,]+)$/m) };
}

describe('the flags', () => {
  it('--help says what there is', () => {
    const { status, stdout, stderr } = demo('--help');
    expect(status).toBe(0);
    expect(stderr).toBe('');
    for (const flag of ['--text', '--epochs', '--dim', '--sampled', '--loss', '--seed', '--out']) expect(stdout).toContain(flag);
  });

  it.each([
    [['--txt', 'x'], "Unknown option '--txt'"],
    [['speech.txt'], 'speech.txt'],
    [['--text'], '--text'],
    [['--text', '/no/such/folder'], "--text: '/no/such/folder' is no folder"],
    [['--text', 'x'.repeat(300)], 'is no folder'],
    [['--text', folder], 'holds 0 .txt files'],
    [['--text', unreadable], `'${join(unreadable, 'x.txt')}'`],
    [['--epochs', '0'], "--epochs: expected a whole number from 1 to 2147483647, got '0'"],
    [['--dim', '1.5'], "--dim: expected a whole number from 1 to 4096, got '1.5'"],
    [['--seed', 'x'], "--seed: expected a whole number from 0 to 2147483647, got 'x'"],
    [['--text', texts, '--sampled', '5000'], '--sampled: 5000 is more than the'],
    [['--loss', 'hinge'], "--loss: expected one of sampled-softmax, nce, sampled-logistic, negative-sampling, got 'hinge'"],
    [['--out', '/no/such/folder/x'], "--out: '/no/such/folder/x' cannot be written"],
    [['--out', folder], 'is a folder'],
    [['--out='], "--out: expected the name of a file, got ''"],
    [['--out', '/proc/x'], "--out: '/proc/x' cannot be written: ENOENT: no such file or directory"],
    [['--out', join(folder, 'x'.repeat(300))], 'cannot be written: ENAMETOOLONG: name too long'],
  ])('%j ends with one line and exit code 2', (args, message) => {
    const { status, stdout, stderr } = demo(...args);
    expect(stderr).toContain(message);
    expect(stderr).toMatch(/^next-word: [^\n]+\n$/);
    expect(stdout).toBe('');
    expect(status).toBe(2);
  });

  it('trying --out leaves what is there as it was', () => {
    const kept = join(folder, 'kept');
    const absent = join(folder, 'absent');
    const link = join(folder, 'link');
    writeFileSync(kept, 'contents');
    symlinkSync(absent, link);
    for (const file of [kept, absent, link]) readOptions(['--out', file]);
    expect(readFileSync(kept, 'utf8')).toBe('contents');
    expect(existsSync(absent)).toBe(false);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
  });

  it('trying --out does not wait for the reader of a named pipe', () => {
    const pipe = join(folder, 'pipe');
    spawnSync('mkfifo', [pipe]);
    expect(demo('--text', texts, '--sampled', '5000', '--out', pipe).stderr).toContain('--sampled');
  });
});

describe('a run on a folder of texts', () => {
  const train = (...args: string[]): ReturnType<typeof demo> =>
    demo('--text', texts, '--epochs', '30', '--dim', '8', '--out', out, ...args);

  it.each(['sampled-softmax', 'nce', 'sampled-logistic', 'negative-sampling'])('%s beats word frequencies', (loss) => {
    const { status, stdout, stderr } = train('--loss', loss);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout).toMatch(/rows\/s/);
    const { unigram, model } = perplexities(stdout);
    expect(unigram).toBeGreaterThan(15);
    expect(model).toBeLessThan(unigram / 2);
  });

  it('writes a safetensors file with the embeddings and the words', () => {
    expect(train('--seed', '7').status).toBe(0);
    const file = readFileSync(out);
    const headerLength = Number(file.readBigUInt64LE(0));
    expect(headerLength % 8).toBe(0);
    const header: unknown = JSON.parse(file.toString('utf8', 8, 8 + headerLength));
    const { __metadata__, ...others } = header as { __metadata__: { vocabulary: string } };
    const tensors = others as Record<string, { dtype: string; shape: number[]; data_offsets: number[] }>;
    const words = __metadata__.vocabulary.split('\n');
    expect(new Set(words)).toEqual(new Set([...proverbs.flatMap(split), '<unk>']));
    expect(tensors['embeddings']).toEqual({ dtype: 'F32', shape: [words.length, 8], data_offsets: [0, words.length * 32] });
    const end = Math.max(...Object.values(tensors).flatMap(({ data_offsets }) => data_offsets));
    expect(file.length).toBe(8 + headerLength + end);
  });

  it('ends with one line and exit code 2 where the file cannot be written after all', () => {
    const { status, stdout, stderr } = train('--epochs', '1', '--out', '/dev/full');
    expect(stdout).toContain('this model');
    expect(stderr).toBe("next-word: --out: '/dev/full' cannot be written: ENOSPC: no space left on device\n");
    expect(status).toBe(2);
  });

  it('gives the same file for the same seed, and another for another', () => {
    const bytes = (seed: string): Buffer => {
      train('--seed', seed);
      return readFileSync(out);
    };
    const first = bytes('3');
    expect(bytes('3').equals(first)).toBe(true);
    expect(bytes('4').equals(first)).toBe(false);
  });
});

describe('the parts', () => {
  it('splits texts into words and numbers', () => {
    expect(split('The UNION’s $1,000.50; well-being — Français 1790.')).toEqual([
      'the',
      "union's",
      '1,000.50',
      'well',
      'being',
      'français',
      '1790',
    ]);
  });

  it('sorts the vocabulary by frequency and holds out the last texts', () => {
    const corpus = buildCorpus([...Array<string>(19).fill('b a b c'), 'once', 'never b']);
    expect(corpus.vocabulary).toEqual(['b', 'a', 'c', '<unk>']);
    expect(corpus.trainingTexts).toBe(18);
    expect([...corpus.heldOut.ids]).toEqual([0, 1, 0, 2, 3, 3, 0]);
    expect([...corpus.heldOut.history]).toEqual([0, 1, 2, 3, 0, 0, 1]);
  });

  it('finds the rows that point the same way', () => {
    const rows = Float32Array.of(1, 0, 5, 1, 0, 3, -1, 0, 1, 0);
    expect(nearestRows(rows, 2, [0], 2, 4)).toEqual([[1, 2]]);
    expect(nearestRows(rows, 2, [0], 2, 5)).toEqual([[4, 1]]);
  });
});

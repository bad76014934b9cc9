/** The command line: what may be said, what it means, and one clear line for what is wrong. */
import { closeSync, openSync, realpathSync, rmSync, statSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { lossNames, type LossName } from './train.ts';
import { cannotBeWritten, UsageError } from './usage-error.ts';

export interface Options {
  /** Folder of `.txt` files; undefined: the State of the Union addresses. */
  readonly text: string | undefined;
  readonly epochs: number;
  readonly dim: number;
  /** Undefined: chosen by the size of the vocabulary. */
  readonly sampled: number | undefined;
  readonly loss: LossName;
  readonly seed: number;
  readonly out: string;
}

const defaults = { epochs: 2, dim: 128, loss: 'sampled-softmax', seed: 1, out: 'next-word.safetensors' } as const;

export const help = `Usage: npm run demo -- [options]

Trains a model that predicts the next word from the last 8 words, and compares it with guessing by word frequency.

  --text DIR      train on the .txt files of DIR (default: the State of the Union addresses, 1790 to 2021);
                  the last ten texts, or a tenth of them if that is less, are kept for the evaluation
  --epochs N      passes over the training texts (default ${defaults.epochs})
  --dim N         width of the embeddings (default ${defaults.dim})
  --sampled N     words drawn as negatives per batch (default 1024, at most a quarter of the vocabulary)
  --loss NAME     ${lossNames.join(' | ')} (default ${defaults.loss})
  --seed N        seed of the parameters, the order of the rows and the draws (default ${defaults.seed})
  --out FILE      where the embeddings are written (default ${defaults.out})
  --help          this text
`;

/** Reads the arguments; `'help'` where that was asked for. */
export function readOptions(args: string[]): Options | 'help' {
  const values = parse(args);
  if (values.help) return 'help';
  const loss = lossNames.find((name) => name === values.loss);
  if (loss === undefined) throw new UsageError(`--loss: expected one of ${lossNames.join(', ')}, got '${values.loss}'`);
  if (values.text !== undefined) checkFolder(values.text);
  checkWritable(values.out);
  return {
    text: values.text,
    epochs: readInteger('--epochs', values.epochs, 1),
    dim: readInteger('--dim', values.dim, 1, 4096),
    sampled: values.sampled === undefined ? undefined : readInteger('--sampled', values.sampled, 1),
    loss,
    seed: readInteger('--seed', values.seed, 0),
    out: values.out,
  };
}

interface Values {
  readonly help: boolean;
  readonly text?: string | undefined;
  readonly epochs: string;
  readonly dim: string;
  readonly sampled?: string | undefined;
  readonly loss: string;
  readonly seed: string;
  readonly out: string;
}

function parse(args: string[]): Values {
  try {
    return parseArgs({
      args,
      options: {
        help: { type: 'boolean', default: false },
        text: { type: 'string' },
        epochs: { type: 'string', default: String(defaults.epochs) },
        dim: { type: 'string', default: String(defaults.dim) },
        sampled: { type: 'string' },
        loss: { type: 'string', default: defaults.loss },
        seed: { type: 'string', default: String(defaults.seed) },
        out: { type: 'string', default: defaults.out },
      },
    }).values;
  } catch (error) {
    // Node's messages go on with advice about '--' that fits no flag of ours.
    const [said] = (error as Error).message.split(/\. |\.?\n/, 1);
    throw new UsageError(`${said}; --help lists the options`);
  }
}

function readInteger(flag: string, text: string, least: number, most: number = 2 ** 31 - 1): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new UsageError(`${flag}: expected a whole number from ${least} to ${most}, got '${text}'`);
}

function checkFolder(folder: string): void {
  try {
    if (statSync(folder).isDirectory()) return;
  } catch {
    // Not there, or its name is too long, or it is behind a folder that is closed to us.
  }
  throw new UsageError(`--text: '${folder}' is no folder`);
}

/** Tried before the training, which would be lost otherwise: access(2) grants root what opening then refuses. */
function checkWritable(file: string): void {
  if (file === '') throw new UsageError("--out: expected the name of a file, got ''");
  try {
    const target = statSync(file, { throwIfNoEntry: false });
    if (target?.isDirectory()) throw new UsageError(`--out: '${file}' is a folder`);
    // Opening a named pipe waits for its reader, and closing it sends the reader away.
    if (target?.isFIFO()) return;
    closeSync(openSync(file, 'a'));
    // Behind a link that led nowhere, what is new is not the link.
    if (!target) rmSync(realpathSync(file));
  } catch (error) {
    throw error instanceof UsageError ? error : cannotBeWritten(file, error);
  }
}

/** The command line of the bench. */
import { parseArgs } from 'node:util';
import { hasTfjs, type PeerPlaces } from './peers.ts';
import { workloads, type Workload } from './workloads.ts';

export interface Options {
  readonly workloads: readonly Workload[];
  readonly seconds: number;
  readonly rounds: number;
  readonly threads: number;
  readonly places: PeerPlaces;
  readonly markdown: string | undefined;
  readonly json: boolean;
}

export class UsageError extends Error {}

export const help = `Usage: npm run bench -- [options]

  --workload NAME      only this one; may be repeated. ${workloads.map((w) => w.name).join(', ')}
  --seconds N          length of each measurement (default 1.5)
  --rounds N           times that ours and each peer take turns (default 3)
  --threads N          threads for everybody (default 2)
  --tensorflow PYTHON  compare with TensorFlow, run by this interpreter
  --torch PYTHON       compare with PyTorch, eager and compiled
  --jax PYTHON         compare with JAX
  --tfjs DIR           folder whose node_modules holds TensorFlow.js (default: this one)
  --no-tfjs            leave TensorFlow.js out
  --markdown FILE      write the tables to FILE
  --json               print JSON instead of the tables
  --help               this text
`;

const text = { type: 'string' } as const;
const flag = { type: 'boolean', default: false } as const;

/** Reads the arguments; `'help'` where that was asked for. `warn` is told of what is missing. */
export function readOptions(args: string[], warn: (line: string) => void): Options | 'help' {
  const values = parse(args);
  if (values.help) return 'help';
  const { tensorflow, torch, jax } = values;
  return {
    workloads: chooseWorkloads(values.workload),
    seconds: readNumber('--seconds', values.seconds, (n) => n > 0),
    rounds: readNumber('--rounds', values.rounds, isCount),
    threads: readNumber('--threads', values.threads, isCount),
    places: { tensorflow, torch, jax, tfjs: values['no-tfjs'] ? undefined : findTfjs(values.tfjs, warn) },
    markdown: values.markdown,
    json: values.json,
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        workload: { ...text, multiple: true },
        seconds: { ...text, default: '1.5' },
        rounds: { ...text, default: '3' },
        threads: { ...text, default: '2' },
        tensorflow: text,
        torch: text,
        jax: text,
        tfjs: text,
        'no-tfjs': flag,
        markdown: text,
        json: flag,
        help: flag,
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

const isCount = (n: number): boolean => Number.isInteger(n) && n >= 1;

function readNumber(name: string, value: string, allowed: (n: number) => boolean): number {
  const number = Number(value);
  if (value.trim() === '' || !Number.isFinite(number) || !allowed(number)) throw new UsageError(`${name}: '${value}' will not do`);
  return number;
}

function chooseWorkloads(names: readonly string[] | undefined): readonly Workload[] {
  if (names === undefined) return workloads;
  const unknown = names.find((name) => workloads.every((w) => w.name !== name));
  if (unknown !== undefined)
    throw new UsageError(`--workload: expected one of ${workloads.map((w) => w.name).join(', ')}, got '${unknown}'`);
  return workloads.filter((w) => names.includes(w.name));
}

function findTfjs(folder: string | undefined, warn: (line: string) => void): string | undefined {
  if (hasTfjs(folder ?? '.')) return folder ?? '.';
  if (folder !== undefined) throw new UsageError(`--tfjs: no TensorFlow.js with its cpu and wasm backends in ${folder}`);
  warn('TensorFlow.js is not installed here and is left out; bench/README.md says how to have it');
  return undefined;
}

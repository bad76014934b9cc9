/** The command line of the bench. */
import type { CudaDevice } from 'sampled-softmax';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { gpus, type Gpu } from './cuda-model.ts';
import { hasTfjs, type PeerPlaces } from './peers.ts';
import { scaled, workloads, type Workload } from './workloads.ts';

export interface Options {
  readonly device: CudaDevice['name'] | 'cpu';
  /** As they are to be run: scaled. */
  readonly workloads: readonly Workload[];
  readonly scale: number;
  readonly seconds: number;
  readonly rounds: number;
  readonly threads: number;
  readonly places: PeerPlaces;
  /** Whose peaks the bound is of, where not those of the GPU that is there. */
  readonly gpu: Gpu | undefined;
  readonly markdown: string | undefined;
  readonly json: boolean;
}

export class UsageError extends Error {}

export const help = `Usage: npm run bench -- [options]

  --device DEVICE      cpu (the default), cuda or cuda:N: where everybody computes
  --workload NAME      only this one; may be repeated. ${workloads.map((w) => w.name).join(', ')}
  --scale X            times the batch, the sample and the classes of each workload (default 1)
  --seconds N          length of each measurement (default 1.5; on a GPU 0.3)
  --rounds N           times that ours and each peer take turns (default 3; on a GPU 1)
  --threads N          threads for everybody (default 2; with a GPU all)
  --gpu NAME           on a GPU: the bound is that of ${gpus.map((g) => g.name).join(', ')}
                       (default: as the driver calls the GPU, where it is one of these)
  --tensorflow PYTHON  compare with TensorFlow, run by this interpreter
  --torch PYTHON       compare with PyTorch, eager and compiled
  --jax PYTHON         compare with JAX
  --tfjs DIR           folder whose node_modules holds TensorFlow.js (default: this one); CPU only
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
  const device = readDevice(values.device);
  const onCpu = device === 'cpu';
  const scale = readNumber('--scale', values.scale, isPositive);
  if (!onCpu && values.tfjs !== undefined) throw new UsageError('--tfjs: TensorFlow.js has no backend for a GPU under Node');
  return {
    device,
    workloads: chooseWorkloads(values.workload).map((workload) => scaled(workload, scale)),
    scale,
    seconds: readNumber('--seconds', values.seconds ?? (onCpu ? '1.5' : '0.3'), isPositive),
    rounds: readNumber('--rounds', values.rounds ?? (onCpu ? '3' : '1'), isCount),
    threads: readNumber('--threads', values.threads ?? (onCpu ? '2' : String(availableParallelism())), isCount),
    gpu: values.gpu === undefined ? undefined : findGpu(values.gpu),
    places: { tensorflow, torch, jax, tfjs: !onCpu || values['no-tfjs'] ? undefined : findTfjs(values.tfjs, warn) },
    markdown: values.markdown,
    json: values.json,
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        device: { ...text, default: 'cpu' },
        workload: { ...text, multiple: true },
        scale: { ...text, default: '1' },
        seconds: text,
        rounds: text,
        threads: text,
        gpu: text,
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

const isPositive = (n: number): boolean => n > 0;
const isCount = (n: number): boolean => Number.isInteger(n) && n >= 1;

function readNumber(name: string, value: string, allowed: (n: number) => boolean): number {
  const number = Number(value);
  if (value.trim() === '' || !Number.isFinite(number) || !allowed(number)) throw new UsageError(`${name}: '${value}' will not do`);
  return number;
}

function readDevice(value: string): Options['device'] {
  if (value === 'cpu') return 'cpu';
  const cuda = /^cuda(?::(0|[1-9]\d*))?$/.exec(value);
  if (cuda === null) throw new UsageError(`--device: expected cpu, cuda or cuda:N, got '${value}'`);
  return `cuda:${Number(cuda[1] ?? 0)}`;
}

function chooseWorkloads(names: readonly string[] | undefined): readonly Workload[] {
  if (names === undefined) return workloads;
  const unknown = names.find((name) => workloads.every((w) => w.name !== name));
  if (unknown !== undefined)
    throw new UsageError(`--workload: expected one of ${workloads.map((w) => w.name).join(', ')}, got '${unknown}'`);
  return workloads.filter((w) => names.includes(w.name));
}

function findGpu(name: string): Gpu {
  const gpu = gpus.find((one) => one.name === name);
  if (gpu === undefined) throw new UsageError(`--gpu: expected one of ${gpus.map((g) => g.name).join(', ')}, got '${name}'`);
  return gpu;
}

function findTfjs(folder: string | undefined, warn: (line: string) => void): string | undefined {
  if (hasTfjs(folder ?? '.')) return folder ?? '.';
  if (folder !== undefined) throw new UsageError(`--tfjs: no TensorFlow.js with its cpu and wasm backends in ${folder}`);
  warn('TensorFlow.js is not installed here and is left out; bench/README.md says how to have it');
  return undefined;
}

/** What the emulated device counts of a workload: the accesses of each kernel, with their lines of the source. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { inProcess } from '../processes.ts';

/** An element of `sites` in CUEMU_STATS_JSON (test/cuda-emulator/README.md). */
interface Site {
  readonly file: string;
  readonly line: number;
  readonly caller_file: string;
  readonly caller_line: number;
  readonly what: string;
  readonly space: 'global' | 'shared';
  readonly access: 'read' | 'write' | 'update';
  readonly units: number;
  readonly ideal: number;
}

interface Kernel {
  readonly kernel: string;
  readonly launches: number;
  readonly sites: readonly Site[];
}

/** All accesses of a kernel by one instruction of one line, where one other line calls it. */
export interface Access {
  readonly space: Site['space'];
  readonly access: Site['access'];
  readonly what: string;
  /** The line of the source, and the one that calls its function where that is inlined; without white space around them. */
  readonly source: string;
  readonly caller: string;
  /** Sectors of device memory or wavefronts of shared memory: the fewest possible of all. */
  readonly efficiency: number;
  /** Of the kernel's sectors, or of its wavefronts. */
  readonly share: number;
}

/** By the kernel's name, such as `logits<float, float, tf32>`. Kernels that were never launched have none. */
export type Counted = ReadonlyMap<string, { readonly launches: number; readonly accesses: readonly Access[] }>;

/** Runs a function of workloads.ts in a process of its own. `file` is for what is counted. */
export async function count(call: string, file: string, environment: Record<string, string> = {}): Promise<Counted> {
  const workloads = new URL('./workloads.ts', import.meta.url).href;
  const body = `const { losses, tables, chunks, biases } = await import('${workloads}'); ${call}`;
  const ended = await inProcess(body, { CUEMU_STATS_JSON: file, SAMPLED_SOFTMAX_CUDA_KEPT_BYTES: '', ...environment });
  if (ended.code !== 0 || ended.output !== '') throw new Error(`${call}: ended with ${ended.code ?? ended.signal}: ${ended.output}`);
  const kernels = JSON.parse(readFileSync(file, 'utf8')) as Kernel[];
  const names = readableNames(kernels.map(({ kernel }) => kernel));
  return new Map(kernels.map(({ launches, sites }, i) => [names[i] as string, { launches, accesses: accessesOf(sites) }]));
}

function accessesOf(sites: readonly Site[]): Access[] {
  const all = { global: 0, shared: 0 };
  for (const { space, units } of sites) all[space] += units;
  return sites.map(({ space, access, what, units, ideal, file, line, caller_file, caller_line }) => ({
    space,
    access,
    what,
    source: lineOf(file, line),
    caller: lineOf(caller_file, caller_line),
    efficiency: ideal / units,
    share: units / all[space],
  }));
}

const native = new URL('../../native/', import.meta.url);
const sources = new Map(
  readdirSync(native, { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.(cu|cuh|h)$/.test(path))
    .map((path) => [basename(path), readFileSync(new URL(path, native), 'utf8').split('\n')]),
);

const lineOf = (file: string, line: number): string => sources.get(file)?.[line - 1]?.trim() ?? '';

const dtypes = ['float32', 'float64', 'float16', 'bfloat16'];
const arithmetics = ['fma', 'tf32', 'bf16', 'f16'];

/** `logits<float, float, tf32>`, `copy_rows<float32, float16>`. */
function readableNames(mangled: readonly string[]): string[] {
  const lines = execFileSync('c++filt', { input: mangled.join('\n'), encoding: 'utf8' })
    .trimEnd()
    .split('\n');
  return lines.map((line) => {
    const short = line
      .replaceAll(/sampled_softmax::|cuda::|\(anonymous namespace\)::/g, '')
      .replaceAll(/Element<\(DType\)(\d)>/g, (_, dtype: string) => dtypes[Number(dtype)] as string)
      .replaceAll(/\(Arithmetic\)(\d)/g, (_, arithmetic: string) => arithmetics[Number(arithmetic)] as string);
    const [, name, parameters = ''] = /(\w+)_kernel(<.*>)?\(Begun/.exec(short) ?? [];
    if (name === undefined) throw new Error(`not a kernel: ${line}`);
    return name + parameters.replace(' >', '>');
  });
}

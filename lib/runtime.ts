/** What the package found out about the machine, and the number of threads. */
import { readFileSync } from 'node:fs';
import { binding } from './binding.ts';
import { checkInteger } from './checks.ts';
import { native } from './errors.ts';

/** What {@link info} returns. */
export interface Info {
  /** Version of the package. */
  readonly version: string;
  readonly cpu: {
    /** The instruction set in use: `'baseline'`, `'avx2'`, `'avx512'`, `'avx512bf16'`, `'amx'` or `'neon'`. */
    readonly instructionSet: string;
    /** Those that this processor could run; `SAMPLED_SOFTMAX_ISA` forces one. */
    readonly instructionSets: readonly string[];
    /** Threads that a call may use. */
    readonly threads: number;
    /** The compiler that built the addon. */
    readonly compiler: string;
  };
  readonly cuda: {
    /** Whether a look has found a device. */
    readonly available: boolean;
    /** Why no CUDA device can be used, as far as is known; empty where one can. */
    readonly reason: string;
  };
}

const notLooked = "no CUDA device has been looked for yet; devices(), or a call with device: 'cuda', looks";

let version: string | undefined;

/**
 * What the package knows about itself and the machine: versions, instruction set, threads, and what is known of CUDA.
 * It looks for no device ({@link devices} does).
 *
 * @throws SampledSoftmaxError `ERR_NATIVE_LOAD` where no addon can be loaded, `ERR_ENVIRONMENT` where
 * `SAMPLED_SOFTMAX_ISA`, `SAMPLED_SOFTMAX_THREADS` or `SAMPLED_SOFTMAX_DEVICE` cannot be obeyed
 */
export function info(): Info {
  version ??= (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version;
  const { instructionSet, instructionSets, threads, compiler } = native(() => binding().info());
  return {
    version,
    cpu: { instructionSet, instructionSets, threads, compiler },
    cuda: binding().cudaSoFar() ?? { available: false, reason: notLooked },
  };
}

/**
 * Sets how many threads later calls may use, for the whole process. Results do not depend on it. The default is
 * `SAMPLED_SOFTMAX_THREADS`, or the processors that this process may use, limited by its cgroup's quota.
 *
 * @param threads - 1 to 1024
 */
export function setThreads(threads: number): void {
  checkInteger('threads', threads, 1, 1024);
  native(() => binding().setThreads(threads));
}

/** What a run of the bench finds out. */
import type { Outcome } from './interleave.ts';
import type { Workload } from './workloads.ts';

/** Where the figures hold. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly threads: number;
  readonly instructionSet: string;
  readonly compiler: string;
  readonly node: string;
  readonly package: string;
  /** The most float32 GFLOP/s of multiply-adds seen on as many threads as the steps have; undefined where there is no compiler. */
  readonly peakGflops: number | undefined;
}

export interface WorkloadResult {
  readonly workload: Workload;
  /** Loss and unmerged sparse gradients, sampling included. */
  readonly ms: number;
  /** What its multiply-adds take at the machine's peak; undefined where there is no compiler. */
  readonly ofPeak: Outcome | undefined;
  readonly drawMs: number;
  /** What a step cannot avoid moving. */
  readonly bytes: number;
  /** Beyond the results; undefined where it cannot be measured. */
  readonly extraBytes: number | undefined;
  /** The package's other forms of the step. */
  readonly forms: Readonly<Record<'forward' | 'merged' | 'bfloat16', Outcome>>;
  readonly peers: Readonly<Record<string, Outcome>>;
  readonly drawPeers: Readonly<Record<string, Outcome>>;
}

export interface Results {
  readonly machine: Machine;
  /** Of batch, sample and classes, beside those of the workloads. */
  readonly scale: number;
  readonly promiseExtraMicroseconds: number;
  readonly workloads: readonly WorkloadResult[];
}

/** A run's results, for JSON, and the page that shows them. */
export interface Report {
  readonly results: object;
  readonly tables: string;
}

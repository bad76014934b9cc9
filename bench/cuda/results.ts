/** What a run of the bench on a GPU finds out. */
import type { CudaDevice } from 'sampled-softmax';
import type { Products } from '../cuda-model.ts';
import { median } from '../timing.ts';
import type { Workload } from '../workloads.ts';
import type { StepName } from './steps.ts';

/** How calls follow each other: each returns before the next (peers: is awaited), or so many are in flight (peers: are queued). */
export const forms = ['sync', 'one', 'two'] as const;
export type Form = (typeof forms)[number];

/** One figure in one round. */
export interface Timing {
  readonly by: string;
  readonly arithmetic: Products;
  readonly step: StepName;
  readonly form: Form;
  readonly time: Time;
}

export type Time = { readonly ms: number } | { readonly failure: string };

export const ours = 'sampled-softmax';

export interface CudaWorkload {
  readonly workload: Workload;
  /** What no GPU of this kind can beat; undefined where its peaks are not known. */
  readonly leastMs: Readonly<Record<Products, number>> | undefined;
  readonly rounds: readonly (readonly Timing[])[];
}

export interface CudaResults {
  readonly machine: {
    readonly device: CudaDevice;
    /** The GPU of cuda-model.ts whose peaks the bound is of; undefined where none is known. */
    readonly boundOf: string | undefined;
    readonly node: string;
    readonly package: string;
  };
  readonly scale: number;
  readonly peers: readonly { readonly name: string; readonly system: string; readonly device: string }[];
  readonly workloads: readonly CudaWorkload[];
}

export type Asked = Omit<Timing, 'time'>;

const find = (round: readonly Timing[], asked: Asked): Time | undefined =>
  round.find((timing) => (['by', 'arithmetic', 'step', 'form'] as const).every((key) => timing[key] === asked[key]))?.time;

/** The median over the rounds, or the first failure; undefined where there is neither. */
export function timeOf({ rounds }: CudaWorkload, asked: Asked): Time | undefined {
  const times = rounds.map((round) => find(round, asked)).filter((time) => time !== undefined);
  const failure = times.find((time) => 'failure' in time);
  if (failure !== undefined || times.length === 0) return failure;
  return { ms: median(times.flatMap((time) => ('ms' in time ? [time.ms] : []))) };
}

/** Their time over ours of the same round, the median over the rounds. Above 1: ours is faster. */
export function ratioOf({ rounds }: CudaWorkload, asked: Asked): number | undefined {
  const ratios = rounds.flatMap((round) => {
    const [theirs, own] = [find(round, asked), find(round, { ...asked, by: ours })];
    return theirs && own && 'ms' in theirs && 'ms' in own ? [theirs.ms / own.ms] : [];
  });
  return ratios.length === 0 ? undefined : median(ratios);
}

/** MindSpore's uniform sampler, in the stream of its GPU kernel. Used by `sampled-softmax/mindspore`. */
import { CandidateSampler, own } from './sampler.ts';

/** Options, which the MindSpore class has checked. */
export interface MindSporeUniformSamplerOptions {
  readonly rangeMax: number;
  readonly numSampled: number;
  /** 0: random. */
  readonly seed: number;
  /**
   * Draw no class that is a true class of any row of the batch, where there is room: `numSampled` and the true classes,
   * repeats counted, are together at most `rangeMax` (the GPU kernel's rule).
   */
  readonly removeAccidentalHits: boolean;
}

/** Draws distinct classes, all with the same probability. */
export class MindSporeUniformSampler extends CandidateSampler<number> {
  constructor({ rangeMax, numSampled, seed, removeAccidentalHits }: MindSporeUniformSamplerOptions) {
    const first = seed === 0 ? (crypto.getRandomValues(new BigUint64Array(1))[0] as bigint) : BigInt(seed);
    super(own, { kind: 'mindspore-uniform', rangeMax, numSampled, seeds: [first, 0n], avoidTrueClasses: removeAccidentalHits });
  }
}

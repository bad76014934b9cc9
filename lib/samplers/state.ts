/** The state of a sampler as a plain object that survives JSON, and back. */
import type { NativeSamplerState } from '../../binding.d.ts';
import { checkOptions } from '../checks.ts';
import { makeError, show } from '../errors.ts';

/** What a sampler's later draws depend on. Plain, so that it can be kept as JSON beside a model. */
export interface SamplerState {
  /** The kind of sampler. */
  readonly sampler: string;
  /** Its range, in decimal digits. */
  readonly rangeMax: string;
  /** The generator's words, in decimal digits. */
  readonly generator: readonly string[];
  /** What a `LearnedUnigramSampler` has learned: classes seen, ascending, and how often. */
  readonly learned?: { readonly classes: readonly number[]; readonly counts: readonly number[] };
}

export function packState(sampler: string, rangeMax: number | bigint, state: NativeSamplerState): SamplerState {
  const packed = { sampler, rangeMax: String(rangeMax), generator: Array.from(state.generator, String) };
  if (sampler !== 'learned-unigram') return packed;
  return { ...packed, learned: { classes: Array.from(state.classes, Number), counts: Array.from(state.counts, Number) } };
}

/** Checks the form; the addon checks the values. */
export function unpackState(state: unknown, sampler: string, rangeMax: number | bigint): NativeSamplerState {
  const learns = sampler === 'learned-unigram';
  checkOptions('state', state, ['sampler', 'rangeMax', 'generator', ...(learns ? ['learned'] : [])]);
  const { sampler: from, rangeMax: range, generator, learned } = state as Partial<Record<keyof SamplerState, unknown>>;
  if (from !== sampler) {
    throw makeError('ERR_INVALID_ARG_VALUE', `state.sampler: expected '${sampler}', got ${show(from)}`);
  }
  if (range !== String(rangeMax)) {
    throw makeError('ERR_INVALID_ARG_VALUE', `state.rangeMax: expected '${rangeMax}', got ${show(range)}`);
  }
  if (!Array.isArray(generator)) {
    throw makeError('ERR_INVALID_ARG_TYPE', `state.generator: expected an array of strings, got ${show(generator)}`);
  }
  const words = BigUint64Array.from(generator, (word: unknown, i) => readWord(`state.generator[${i}]`, word));
  if (!learns) return { generator: words, classes: new BigInt64Array(0), counts: new BigInt64Array(0) };
  checkOptions('state.learned', learned, ['classes', 'counts']);
  const { classes, counts } = learned as { classes?: unknown; counts?: unknown };
  return {
    generator: words,
    classes: readCounts('state.learned.classes', classes),
    counts: readCounts('state.learned.counts', counts),
  };
}

function readWord(name: string, word: unknown): bigint {
  if (typeof word !== 'string' || !/^\d{1,20}$/.test(word) || BigInt(word) >= 2n ** 64n) {
    throw makeError('ERR_INVALID_ARG_TYPE', `${name}: expected the decimal digits of a 64-bit number, got ${show(word)}`);
  }
  return BigInt(word);
}

function readCounts(name: string, counts: unknown): BigInt64Array {
  if (!Array.isArray(counts)) throw makeError('ERR_INVALID_ARG_TYPE', `${name}: expected an array of integers, got ${show(counts)}`);
  return BigInt64Array.from(counts, (count: unknown, i) => {
    if (!Number.isSafeInteger(count)) {
      throw makeError('ERR_INVALID_ARG_TYPE', `${name}[${i}]: expected an integer, got ${show(count)}`);
    }
    return BigInt(count as number);
  });
}

/** Seeds of the samplers: TensorFlow's mapping of a number, or the two raw seeds. */
import { checkInteger } from '../checks.ts';
import { makeError, show } from '../errors.ts';

/**
 * A number goes through TensorFlow's mapping, so that `seed: 7` draws what `seed=7` draws there (with no global seed).
 * A pair is TensorFlow's raw (seed, seed2); `[0n, 0n]` is random, as there.
 */
export type SamplerSeed = number | readonly [bigint, bigint];

/** TensorFlow's graph-level seed where only an operation's seed is given. */
const defaultGraphSeed = 87654321n;
const maxSeed = 2n ** 31n - 1n;

/** The two 64-bit seeds of the generator. Undefined: random ones. */
export function readSeed(value: unknown): [bigint, bigint] {
  if (value === undefined) return randomSeeds();
  if (typeof value === 'number') {
    const seed = BigInt(checkInteger('seed', value, Number.MIN_SAFE_INTEGER)) % maxSeed;
    return [defaultGraphSeed, seed < 0n ? seed + maxSeed : seed]; // the remainder of Python, never negative
  }
  if (!Array.isArray(value) || value.length !== 2) {
    throw makeError('ERR_INVALID_ARG_TYPE', `seed: expected an integer or a pair of bigints, got ${show(value)}`);
  }
  const [seed, seed2] = Array.from(value as unknown[], (part, i) => readHalf(`seed[${i}]`, part)) as [bigint, bigint];
  return seed === 0n && seed2 === 0n ? randomSeeds() : [seed, seed2];
}

function readHalf(name: string, value: unknown): bigint {
  if (typeof value !== 'bigint') throw makeError('ERR_INVALID_ARG_TYPE', `${name}: expected a bigint, got ${show(value)}`);
  if (BigInt.asIntN(64, value) !== value) {
    throw makeError('ERR_OUT_OF_RANGE', `${name}: expected a signed 64-bit integer, got ${show(value)}`);
  }
  return BigInt.asUintN(64, value);
}

function randomSeeds(): [bigint, bigint] {
  return Array.from(crypto.getRandomValues(new BigUint64Array(2))) as [bigint, bigint];
}

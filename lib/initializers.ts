/** What a new table holds: the `init` and `seed` options, and what the addon is told of them. */
import { randomBytes } from 'node:crypto';
import { checkChoice, checkNumber, checkOptions } from './checks.ts';
import { makeError, show } from './errors.ts';

/**
 * How a new table is filled. The words alone take the defaults of Keras: uniform in [-0.05, 0.05], normal and truncated
 * normal with mean 0 and standard deviation 0.05.
 *
 * - `'zeros'`: no memory is touched before it is used.
 * - `'uniform'`: between `min` and `max`.
 * - `'normal'`; `'truncatedNormal'`: the same without what lies more than two standard deviations from the mean, so its
 *   own deviation is 0.88 `stddev`.
 * - `'glorotUniform'`: uniform in [-l, l], l = sqrt(6 / (rows + dim)).
 */
export type Initializer =
  | 'zeros'
  | 'uniform'
  | 'normal'
  | 'truncatedNormal'
  | 'glorotUniform'
  | { readonly type: 'zeros' | 'glorotUniform' }
  | { readonly type: 'uniform'; readonly min?: number; readonly max?: number }
  | { readonly type: 'normal' | 'truncatedNormal'; readonly mean?: number; readonly stddev?: number };

const types = ['zeros', 'uniform', 'normal', 'truncatedNormal', 'glorotUniform'] as const;

/** The distribution's number (its place in `types`; native/core/initializers.h) and its two parameters. */
export interface ReadInitializer {
  readonly distribution: number;
  readonly first: number;
  readonly second: number;
}

export function readInitializer(name: string, value: unknown): ReadInitializer {
  const options = (typeof value === 'object' && value !== null ? value : { type: value ?? 'zeros' }) as Record<string, unknown>;
  const type = checkChoice(value === options ? `${name}.type` : name, options['type'], types);
  const distribution = types.indexOf(type);
  const parameter = (key: string, fallback: number): number => {
    const given = options[key];
    const number = given === undefined ? fallback : checkNumber(`${name}.${key}`, given);
    if (!Number.isFinite(number)) throw makeError('ERR_INVALID_ARG_VALUE', `${name}.${key}: expected a finite number, got ${show(number)}`);
    return number;
  };
  if (type === 'uniform') {
    checkOptions(name, options, ['type', 'min', 'max']);
    const [first, second] = [parameter('min', -0.05), parameter('max', 0.05)];
    if (first > second || !Number.isFinite(second - first)) {
      throw makeError('ERR_INVALID_ARG_VALUE', `${name}: expected min <= max, a finite number apart, got ${first} and ${second}`);
    }
    return { distribution, first, second };
  }
  if (type === 'normal' || type === 'truncatedNormal') {
    checkOptions(name, options, ['type', 'mean', 'stddev']);
    const [first, second] = [parameter('mean', 0), parameter('stddev', 0.05)];
    if (second < 0) throw makeError('ERR_INVALID_ARG_VALUE', `${name}.stddev: expected a number of at least 0, got ${show(second)}`);
    return { distribution, first, second };
  }
  checkOptions(name, options, ['type']);
  return { distribution, first: 0, second: 0 };
}

/** 64 bits: those of the integer in two's complement, or random ones where there is none. */
export function readTableSeed(name: string, value: unknown): bigint {
  if (value === undefined) return randomBytes(8).readBigUInt64LE();
  if (typeof value !== 'bigint' && !(typeof value === 'number' && Number.isSafeInteger(value))) {
    throw makeError('ERR_INVALID_ARG_TYPE', `${name}: expected a safe integer or a bigint, got ${show(value)}`);
  }
  const seed = BigInt(value);
  if (seed < -(2n ** 63n) || seed >= 2n ** 64n) {
    throw makeError('ERR_OUT_OF_RANGE', `${name}: expected at most 64 bits, got ${show(value)}`);
  }
  return BigInt.asUintN(64, seed);
}

/** From per-row losses to what the caller asked for: in double, in order, so the result never depends on threads. */
import { makeError } from './errors.ts';

/** What is made of the `[batch]` losses. */
export type Reduction = 'none' | 'mean' | 'sum';

export const reductions: readonly Reduction[] = ['none', 'mean', 'sum'];

/** The mean of nothing has no value; said before any work is done. */
export function checkReduction(where: string, reduction: Reduction, batch: number): void {
  if (reduction === 'mean' && batch === 0) {
    throw makeError('ERR_INVALID_ARG_VALUE', `${where}: reduction 'mean' of an empty batch has no value`);
  }
}

export function reduce<A extends Float32Array | Float64Array>(losses: A, reduction: Reduction): A | number {
  if (reduction === 'none') return losses;
  let sum = 0;
  for (let i = 0; i < losses.length; i++) sum += losses[i] as number;
  return reduction === 'mean' ? sum / losses.length : sum;
}

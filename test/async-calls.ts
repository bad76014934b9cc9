/** Calls that take their time, for what happens while one runs. */
import { expect } from 'vitest';
import { softmaxLoss } from '../lib/index.ts';
import { randomIds, randoms } from './arrays.ts';
import { sized } from './device.ts';

/** Takes a quarter of a second or so; a real device needs as much for bringing it there. */
export const { batch, dim, numClasses } = sized(
  { batch: 400, dim: 64, numClasses: 60_000 },
  { batch: 60, dim: 16, numClasses: 2000 },
  { batch: 400, dim: 64, numClasses: 1_500_000 },
);
export const large = {
  weights: randoms(numClasses * dim, 1, 0.1),
  labels: randomIds(batch, numClasses, 2),
  inputs: randoms(batch * dim, 3),
  numClasses,
  gradients: true,
} as const;

const many = 500_000;
export const endless = {
  weights: new Float32Array(many),
  labels: new Int32Array(many),
  inputs: new Float32Array(many),
  numClasses: many,
  device: 'cpu',
} as const;

export async function refusal(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.fail('accepted'),
    (error: unknown) => error,
  );
}

/**
 * Holds up every call that comes after it, on any device, until the function that it returns is called: a call on the
 * CPU that would take minutes has the thread that starts calls.
 */
export function holdUp(): () => Promise<void> {
  const controller = new AbortController();
  const call = refusal(softmaxLoss({ ...endless, signal: controller.signal }));
  return async () => {
    controller.abort('over');
    expect(await call).toBe('over');
  };
}

/** Arrays of a workload, filled with reproducible random numbers. */
import type { Workload } from './workloads.ts';

export interface Problem {
  readonly workload: Workload;
  readonly weights: Float32Array;
  readonly biases: Float32Array;
  readonly inputs: Float32Array;
  readonly labels: Int32Array;
}

/** Random numbers are drawn for so many elements, and repeated from there. A prime, so that hardly any two rows are the same. */
const period = 1_048_583;

/** Numbers in (-scale, scale), without the time that 400 million calls of a generator take. */
function fill(length: number, scale: number, random: () => number): Float32Array {
  const values = new Float32Array(length);
  let filled = Math.min(length, period);
  for (let i = 0; i < filled; i++) values[i] = (2 * random() - 1) * scale;
  for (; filled < length; filled *= 2) values.copyWithin(filled, 0, Math.min(filled, length - filled));
  return values;
}

/** Marsaglia's xorshift, 32 bits of state: the numbers need to be unlike zero and unlike each other, no more. */
export function randomNumbers(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** Any class is as likely as any other. */
export function makeLabels({ batch, numClasses }: Workload, random = randomNumbers(20_251)): Int32Array {
  return Int32Array.from({ length: batch }, () => Math.floor(random() * numClasses));
}

export function makeProblem(workload: Workload): Problem {
  const { batch, dim, numClasses } = workload;
  const random = randomNumbers(20_251);
  return {
    workload,
    weights: fill(numClasses * dim, 0.05, random),
    biases: fill(numClasses, 0.01, random),
    inputs: fill(batch * dim, 1, random),
    labels: makeLabels(workload, random),
  };
}

/** The same values in bfloat16, cut off rather than rounded. */
export function toBfloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) halves[i] = bits[i]! >>> 16;
  return halves;
}

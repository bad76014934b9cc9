/** Which devices there are, and which one a call uses. */
import { makeError, show } from './errors.ts';

/** Where a call computes: `'auto'` is the device on which its tables live; for plain arrays the CPU. */
export type DeviceName = 'auto' | 'cpu' | 'cuda' | `cuda:${number}`;

/** One device that calls can use. */
export interface Device {
  /** What to pass as the `device` option. */
  readonly name: string;
  readonly type: 'cpu';
}

/** The devices of this machine that the package can compute on. */
export function devices(): Device[] {
  return [{ name: 'cpu', type: 'cpu' }];
}

/** Why there is no CUDA device; the build has no CUDA backend. */
export const cudaReason = 'this version of sampled-softmax has no CUDA backend';

/** Resolves the `device` option. */
export function chooseDevice(name: string, value: unknown): 'cpu' {
  if (value === undefined || value === 'auto' || value === 'cpu') return 'cpu';
  if (typeof value === 'string' && /^cuda(:\d+)?$/.test(value)) {
    throw makeError('ERR_DEVICE_UNAVAILABLE', `${name}: ${show(value)} is not available: ${cudaReason}`);
  }
  const code = typeof value === 'string' ? 'ERR_INVALID_ARG_VALUE' : 'ERR_INVALID_ARG_TYPE';
  throw makeError(code, `${name}: expected 'auto', 'cpu', 'cuda' or 'cuda:<index>', got ${show(value)}`);
}

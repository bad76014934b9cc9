/** Which devices there are, and which one a call uses. */
import { binding } from './binding.ts';
import { fromNative, makeError, native, show } from './errors.ts';

/**
 * Where a call computes. `'cuda'` is `'cuda:0'`.
 *
 * `'auto'` is the device on which the tables of the call are. Without a table on a device it is the CPU, since to move
 * weights there would cost more than the step; the environment variable `SAMPLED_SOFTMAX_DEVICE` (one of the other values)
 * names another device instead of the CPU, for the whole process. A new table is put there too.
 */
export type DeviceName = 'auto' | 'cpu' | 'cuda' | `cuda:${number}`;

/** The processor. */
export interface CpuDevice {
  /** What to pass as the `device` option. */
  readonly name: 'cpu';
  readonly type: 'cpu';
}

/** A CUDA device. */
export interface CudaDevice {
  /** What to pass as the `device` option. */
  readonly name: `cuda:${number}`;
  readonly type: 'cuda';
  /** The device's own name, such as `'NVIDIA H100 80GB HBM3'`. */
  readonly description: string;
  /** Memory of the device in bytes, free or not. */
  readonly memory: number;
  /** CUDA's compute capability, `'<major>.<minor>'`. */
  readonly computeCapability: string;
}

/** One device that calls can use. */
export type Device = CpuDevice | CudaDevice;

/**
 * The devices that calls can use: the CPU first, then the CUDA devices. It looks for these, the first time that it is
 * called, which may take the driver some tenths of a second; where it finds none, {@link info} knows why.
 *
 * @throws SampledSoftmaxError `ERR_NATIVE_LOAD`, `ERR_ENVIRONMENT`; `ERR_DEVICE_FAILED` where a device is there but does not answer
 */
export function devices(): Device[] {
  const cuda = native(() => binding().cudaDevices()).map((device, i) => ({ name: `cuda:${i}`, type: 'cuda', ...device }) as const);
  return [{ name: 'cpu', type: 'cpu' }, ...cuda];
}

/**
 * Gives memory that is kept for later calls back: on the host up to 128 MiB that the largest call worked in, and what
 * glibc keeps of freed memory; on devices that have been used, what they keep. Later calls take it anew, so this is for
 * programs that leave memory to others for a while.
 *
 * @throws SampledSoftmaxError `ERR_DEVICE_FAILED`, `ERR_NATIVE_LOAD`, `ERR_ENVIRONMENT`
 */
export function releaseMemory(): void {
  native(() => binding().releaseMemory());
}

/** A table among the arguments of a call. */
export interface PlacedTable {
  readonly name: string;
  readonly device: 'cpu' | `cuda:${number}`;
}

/** What a device is called that the addon has a number for. */
export const deviceName = (number: number): PlacedTable['device'] => (number === 0 ? 'cpu' : `cuda:${number - 1}`);

/** The number of a device that is known to be there. */
const deviceNumber = (name: PlacedTable['device']): number => (name === 'cpu' ? 0 : Number(name.slice('cuda:'.length)) + 1);

/**
 * Resolves the `device` option to the number that the addon has for it: 0 for the CPU, n + 1 for `'cuda:n'`. Tables of the
 * host's can be read from everywhere; those on a device decide, and refuse every other.
 */
export function chooseDevice(name: string, value: unknown, tables: readonly PlacedTable[] = []): number {
  const placed = tables.find(({ device }) => device !== 'cpu');
  if (!placed) return resolveDevice(name, value);
  for (const other of tables) {
    if (other.device === 'cpu' || other.device === placed.device) continue;
    throw makeError(
      'ERR_INVALID_ARG_VALUE',
      `${other.name}: a table on '${other.device}', but ${placed.name} is one on '${placed.device}'`,
    );
  }
  const there = deviceNumber(placed.device);
  if (value === undefined || value === 'auto') return there;
  const wanted = resolveDevice(name, value);
  if (wanted === there) return there;
  throw makeError('ERR_INVALID_ARG_VALUE', `${name}: ${show(value)} was asked for, but ${placed.name} is a table on '${placed.device}'`);
}

function resolveDevice(name: string, value: unknown): number {
  if (value === 'cpu') return 0;
  if (value === undefined || value === 'auto') {
    const { defaultDevice } = binding();
    return defaultDevice === 0 ? 0 : cudaDevice('SAMPLED_SOFTMAX_DEVICE', `cuda:${defaultDevice - 1}`, defaultDevice - 1);
  }
  const cuda = typeof value === 'string' ? /^cuda(?::(0|[1-9]\d*))?$/.exec(value) : null;
  if (cuda) return cudaDevice(name, value as string, Number(cuda[1] ?? 0));
  const code = typeof value === 'string' ? 'ERR_INVALID_ARG_VALUE' : 'ERR_INVALID_ARG_TYPE';
  throw makeError(code, `${name}: expected 'auto', 'cpu', 'cuda' or 'cuda:<index>', got ${show(value)}`);
}

/** The number of a CUDA device that is there. */
function cudaDevice(name: string, value: string, index: number): number {
  let count: number;
  try {
    count = binding().countCudaDevices();
  } catch (error) {
    const { code, message } = error as { code?: unknown; message: string };
    if (code !== 'ERR_DEVICE_UNAVAILABLE') throw fromNative(error);
    throw makeError(code, `${name}: ${show(value)} is not available: ${message}`);
  }
  if (index < count) return index + 1;
  const there = count === 1 ? "there is one CUDA device, 'cuda:0'" : `there are ${count} CUDA devices, 'cuda:0' to 'cuda:${count - 1}'`;
  throw makeError('ERR_DEVICE_UNAVAILABLE', `${name}: ${show(value)} is not available: ${there}`);
}

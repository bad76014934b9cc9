/**
 * One buffer for the small arrays of a result, which are views of it: every buffer costs a microsecond or two, and a small
 * step takes fifty.
 */
import { Buffer, constants } from 'node:buffer'; // the global is a getter
import { makeError } from './errors.ts';

/** So many zeros cost less than a buffer without. */
export const fewBytes = 8192;

/** Memory for results: as a rule not yet anything. */
export function newBuffer(bytes: number): ArrayBuffer {
  if (bytes <= fewBytes || bytes > constants.MAX_LENGTH) return new ArrayBuffer(bytes); // or the error that says why not
  return Buffer.allocUnsafeSlow(bytes).buffer as ArrayBuffer;
}

export class Room {
  private readonly buffer: ArrayBuffer;
  private at = 0;

  /** For `bytes`, as `bytesFor` counts them, of what an error calls `what`. */
  constructor(what: string, bytes: number) {
    try {
      this.buffer = newBuffer(bytes);
    } catch (cause) {
      throw makeError('ERR_OUT_OF_MEMORY', `no memory for ${what}: it needs ${bytes} bytes`, { cause });
    }
  }

  /** What an array of `length` elements takes, the next one's alignment included. */
  static bytesFor(length: number, elementBytes: 4 | 8): number {
    return Math.ceil((length * elementBytes) / 8) * 8;
  }

  /** Whether there is room left for an array of `length` elements. */
  has(length: number, elementBytes: 4 | 8): boolean {
    return this.at + Room.bytesFor(length, elementBytes) <= this.buffer.byteLength;
  }

  int32(length: number): Int32Array {
    return new Int32Array(this.buffer, this.take(length, 4), length);
  }

  bigInt64(length: number): BigInt64Array {
    return new BigInt64Array(this.buffer, this.take(length, 8), length);
  }

  float32(length: number): Float32Array {
    return new Float32Array(this.buffer, this.take(length, 4), length);
  }

  float64(length: number): Float64Array {
    return new Float64Array(this.buffer, this.take(length, 8), length);
  }

  private take(length: number, elementBytes: 4 | 8): number {
    const at = this.at;
    this.at += Room.bytesFor(length, elementBytes);
    return at;
  }
}

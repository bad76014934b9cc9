/**
 * One buffer for the arrays of a result, which are views of it. One each, with its collection, would cost a step of
 * fifty microseconds three more.
 */
import { Buffer, constants } from 'node:buffer'; // the global is a getter
import { makeError } from './errors.ts';

/** So many zeros cost less than a buffer without. */
export const fewBytes = 8192;

/** Memory for results: as a rule not yet anything. */
export function newBuffer(bytes: number): ArrayBuffer {
  if (bytes <= fewBytes || bytes > constants.MAX_LENGTH) return new ArrayBuffer(bytes); // or the error that says why not
  return Buffer.allocUnsafeSlow(bytes).buffer;
}

export class Room {
  private readonly buffer: ArrayBuffer;
  private at = 0;

  /** Of so many bytes, as `bytesFor` counts them, for what an error calls `what`. */
  constructor(what: string, bytes: number) {
    try {
      this.buffer = newBuffer(bytes);
    } catch (cause) {
      throw makeError('ERR_OUT_OF_MEMORY', `not enough memory for ${what} of ${bytes} bytes`, { cause });
    }
  }

  /** What an array of `length` elements takes: whole cache lines. */
  static bytesFor(length: number, elementBytes: 4 | 8): number {
    return Math.ceil((length * elementBytes) / 64) * 64;
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

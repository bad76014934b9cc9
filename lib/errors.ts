/**
 * The error classes and their codes. Every error that the package raises has a stable `code`; its message names the
 * argument, the position and the value.
 */

/** The `code` of every error that the package raises. The README lists what each one means. */
export type ErrorCode =
  | 'ERR_INVALID_ARG_TYPE'
  | 'ERR_INVALID_ARG_VALUE'
  | 'ERR_UNKNOWN_OPTION'
  | 'ERR_SHAPE_MISMATCH'
  | 'ERR_OUT_OF_RANGE'
  | 'ERR_DETACHED_BUFFER'
  | 'ERR_RESIZABLE_BUFFER'
  | 'ERR_OVERLAP'
  | 'ERR_DRAW_IMPOSSIBLE'
  | 'ERR_DRAW_LIMIT'
  | 'ERR_OUT_OF_MEMORY'
  | 'ERR_DISPOSED'
  | 'ERR_UNKNOWN_TOKEN'
  | 'ERR_VOCAB_FILE'
  | 'ERR_DEVICE_UNAVAILABLE'
  | 'ERR_DEVICE_FAILED'
  | 'ERR_ENVIRONMENT'
  | 'ERR_NATIVE_LOAD'
  | 'ERR_INTERNAL';

/** An argument of the wrong type, or an option that does not exist. */
export class SampledSoftmaxTypeError extends TypeError {
  override readonly name: string = 'SampledSoftmaxTypeError';
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** An argument of the right type whose value, length or shape is not allowed. */
export class SampledSoftmaxRangeError extends RangeError {
  override readonly name: string = 'SampledSoftmaxRangeError';
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Everything else: memory, devices, files, a disposed object. */
export class SampledSoftmaxError extends Error {
  override readonly name: string = 'SampledSoftmaxError';
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const typeErrors: ReadonlySet<string> = new Set([
  'ERR_INVALID_ARG_TYPE',
  'ERR_UNKNOWN_OPTION',
  'ERR_DETACHED_BUFFER',
  'ERR_RESIZABLE_BUFFER',
]);
const rangeErrors: ReadonlySet<string> = new Set([
  'ERR_INVALID_ARG_VALUE',
  'ERR_SHAPE_MISMATCH',
  'ERR_OUT_OF_RANGE',
  'ERR_DRAW_IMPOSSIBLE',
  'ERR_OVERLAP',
]);

/** The error of the class that belongs to `code`. */
export function makeError(code: ErrorCode, message: string, options?: ErrorOptions): TypeError | RangeError | Error {
  if (typeErrors.has(code)) return new SampledSoftmaxTypeError(code, message, options);
  if (rangeErrors.has(code)) return new SampledSoftmaxRangeError(code, message, options);
  return new SampledSoftmaxError(code, message, options);
}

/** Gives an error thrown by the addon (a plain Error with a `code`) the class that belongs to its code. */
export function fromNative(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof SampledSoftmaxError) return error;
  if (error instanceof SampledSoftmaxTypeError || error instanceof SampledSoftmaxRangeError) return error;
  const code = (error as { code?: unknown }).code;
  if (code === undefined && /^std::bad_alloc$|^vector::|^cannot create std::vector/.test(error.message)) {
    return new SampledSoftmaxError('ERR_OUT_OF_MEMORY', 'not enough memory for the call', { cause: error });
  }
  return typeof code === 'string' && code.startsWith('ERR_') ? makeError(code as ErrorCode, error.message) : error;
}

/** Runs `call`, which calls the addon, and gives its errors their class. */
export function native<R>(call: () => R): R {
  try {
    return call();
  } catch (error) {
    throw fromNative(error);
  }
}

/** As {@link native}, for a call that gives a promise. */
export async function settle<R>(call: () => Promise<R>): Promise<R> {
  try {
    return await call();
  } catch (error) {
    throw fromNative(error);
  }
}

/** How a value reads in a message: short, with its type where that helps. */
export function show(value: unknown): string {
  if (value === null || value === undefined || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'string') return value.length > 40 ? `'${value.slice(0, 40)}...'` : `'${value}'`;
  if (typeof value === 'function') return value.name ? `function ${value.name}` : 'a function';
  if (typeof value === 'symbol') return 'a symbol';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (ArrayBuffer.isView(value)) {
    return `${value.constructor?.name ?? 'a view'}(${(value as { length?: number }).length ?? value.byteLength})`;
  }
  const constructor = (value as { constructor?: { name?: unknown } }).constructor?.name;
  return typeof constructor === 'string' && constructor !== 'Object' ? `a ${constructor}` : 'an object';
}

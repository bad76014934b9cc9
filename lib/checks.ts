/** Checks of options and of plain numbers: each throws an error that names the option, what was expected and what came. */
import { makeError, show } from './errors.ts';

/** The options object itself: an object, with no key that `known` lacks. */
export function checkOptions(where: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options) || ArrayBuffer.isView(options)) {
    throw makeError('ERR_INVALID_ARG_TYPE', `${where}: expected an options object, got ${show(options)}`);
  }
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) {
      const near = known.find((k) => k.toLowerCase() === key.toLowerCase().replaceAll('_', ''));
      const hint = near ? `did you mean '${near}'?` : `known options: ${known.join(', ')}`;
      throw makeError('ERR_UNKNOWN_OPTION', `${where}: unknown option '${key}'; ${hint}`);
    }
  }
}

/** A safe integer in [min, max]. */
export function checkInteger(name: string, value: unknown, min: number, max: number = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== 'number' || !Number.isInteger(value)) {
    throw makeError('ERR_INVALID_ARG_TYPE', `${name}: expected an integer, got ${show(value)}`);
  }
  if (value < min || value > max) {
    throw makeError('ERR_OUT_OF_RANGE', `${name}: expected an integer in [${min}, ${max}], got ${show(value)}`);
  }
  return value;
}

export function checkNumber(name: string, value: unknown): number {
  if (typeof value !== 'number') throw makeError('ERR_INVALID_ARG_TYPE', `${name}: expected a number, got ${show(value)}`);
  return value;
}

export function checkBoolean(name: string, value: unknown): boolean {
  if (typeof value !== 'boolean') {
    throw makeError('ERR_INVALID_ARG_TYPE', `${name}: expected true or false, got ${show(value)}`);
  }
  return value;
}

/** One of a few words. */
export function checkChoice<const C extends string>(name: string, value: unknown, choices: readonly C[]): C {
  if (typeof value !== 'string' || !choices.includes(value as C)) {
    const words = choices.map((c) => `'${c}'`).join(', ');
    const code = typeof value === 'string' ? 'ERR_INVALID_ARG_VALUE' : 'ERR_INVALID_ARG_TYPE';
    throw makeError(code, `${name}: expected one of ${words}, got ${show(value)}`);
  }
  return value as C;
}

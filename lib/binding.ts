/** Finds and loads the addon, once, at first use; an error that says how to mend it where there is none. */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { NativeBinding } from '../binding.d.ts';
import { fromNative, makeError, SampledSoftmaxError, show } from './errors.ts';

const require = createRequire(import.meta.url);
const packageRoot = fileURLToPath(new URL('..', import.meta.url));

let loaded: NativeBinding | undefined;
let addonPath: string | undefined;

/**
 * Names the addon's file, for programs whose bundler moved it away from the package. Call it before anything else of
 * the package.
 *
 * @param path - absolute path of `sampled-softmax.glibc.node` (in the package's `prebuilds/<platform>-<arch>/`)
 * @throws SampledSoftmaxTypeError where the path is no string
 * @throws SampledSoftmaxError `ERR_NATIVE_LOAD` where the addon has been loaded already
 */
export function setAddonPath(path: string): void {
  if (typeof path !== 'string') throw makeError('ERR_INVALID_ARG_TYPE', `path: expected a string, got ${show(path)}`);
  if (loaded)
    throw new SampledSoftmaxError('ERR_NATIVE_LOAD', 'setAddonPath: the addon has been loaded already; call it before anything else');
  addonPath = path;
}

/** The addon. */
export function binding(): NativeBinding {
  return (loaded ??= load());
}

function load(): NativeBinding {
  try {
    if (addonPath !== undefined) return require(addonPath) as NativeBinding;
    return (require('node-gyp-build') as (folder: string) => NativeBinding)(packageRoot);
  } catch (cause) {
    if ((cause as { code?: unknown }).code === 'ERR_ENVIRONMENT') throw fromNative(cause);
    throw new SampledSoftmaxError('ERR_NATIVE_LOAD', explain(cause), { cause });
  }
}

function libc(): string {
  if (process.platform !== 'linux') return '';
  const report = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  const glibc = report.header.glibcVersionRuntime;
  return glibc ? ` (glibc ${glibc})` : ' (musl)';
}

function explain(cause: unknown): string {
  const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
  return [
    `sampled-softmax: no native addon could be loaded for ${process.platform}-${process.arch}${libc()}, Node ${process.versions.node}: ${reason}`,
    'To build it from source (a C++17 compiler and CMake are needed):',
    '  npm install cmake-js node-addon-api node-api-headers && npm explore sampled-softmax -- npm run build:native',
    'If a bundler moved the package, name the file with setAddonPath(path) first.',
  ].join('\n');
}

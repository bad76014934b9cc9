#!/usr/bin/env node
/**
 * prebuildify knows node-gyp only and spawns `<node-gyp> rebuild --target=... --devdir=... --arch=... [--debug|--release]`.
 * This stand-in makes the same words a cmake-js build. prebuildify then moves the first .node file of build/Release to
 * prebuilds/, so there must be exactly one, and copies every .so file beside it: the CUDA library, where it was built, and
 * none of an earlier build or of another architecture. Another architecture is cross-compiled with scripts/<architecture>.cmake.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const words = process.argv.slice(2);
const config = words.includes('--debug') ? 'Debug' : 'Release';
const arch = words.find((word) => word.startsWith('--arch='))?.slice('--arch='.length) ?? process.arch;
const toolchains = { arm64: 'aarch64.cmake' };

const root = fileURLToPath(new URL('..', import.meta.url));
const cli = createRequire(import.meta.url).resolve('cmake-js/bin/cmake-js');

function fail(message) {
  console.error(`cmake-js-as-node-gyp: ${message}`);
  process.exit(1);
}

function cmakeJs(...args) {
  const { status } = spawnSync(process.execPath, [cli, ...args], { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

if (words[0] !== 'rebuild') fail(`expected the word rebuild, got '${words.join(' ')}'`);
const cross = arch !== process.arch;
if (cross && !(arch in toolchains)) fail(`no toolchain file for ${arch} (on ${process.arch})`);

// A CMake cache keeps its compiler for ever, so each architecture has a folder of its own.
const folder = cross ? join(root, 'build-native', arch) : join(root, 'build');
const toolchain = cross ? [`--CDCMAKE_TOOLCHAIN_FILE=${join(root, 'scripts', toolchains[arch])}`] : [];
const output = join(root, 'build', config);
const prebuilds = join(root, 'prebuilds', `${process.platform}-${arch}`);
for (const place of [output, prebuilds]) {
  mkdirSync(place, { recursive: true });
  for (const file of readdirSync(place)) if (/\.(node|so)$/.test(file)) rmSync(join(place, file));
}

// configure before build: a cache that is there already would keep its old paths.
cmakeJs('configure', '--config', config, '--out', folder, ...toolchain);
cmakeJs('build', '--config', config, '--out', folder, '--parallel', '2');

const built = readdirSync(join(folder, config)).filter((file) => file.endsWith('.node'));
if (built.length !== 1) fail(`expected one .node file in ${join(folder, config)}, got ${built.join(', ') || 'none'}`);
if (cross) copyFileSync(join(folder, config, built[0]), join(output, built[0]));

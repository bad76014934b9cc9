/** Compiles the fake backends, into a folder that goes when the tests of a file have ended. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const compiler = process.env['CXX'] ?? 'g++';

export interface FakeBackend {
  /** False, and a line says so, where there is no compiler: tests that need it are skipped. */
  readonly available: boolean;
  /** A folder of the test's own. */
  readonly folder: string;
  readonly library: string;
  /** What SAMPLED_SOFTMAX_CUDA_LIBRARY and the like have to be for the fake, and nothing else, to be used. */
  readonly environment: Record<string, string>;
  /** The lines that the fake has written since this was called last, such as 'start 3'. */
  readonly takeLog: () => string[];
}

export function buildFakeBackend(): FakeBackend {
  const available = spawnSync(compiler, ['--version']).status === 0;
  const folder = mkdtempSync(join(tmpdir(), 'sampled-softmax-fake-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const library = join(folder, 'fake.so');
  if (available) {
    const flags = ['-std=c++17', '-O1', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC', '-pthread', `-I${join(root, 'native')}`];
    execFileSync(compiler, [...flags, '-o', library, join(root, 'test/fake-backends/fake.cc')]);
  } else {
    console.warn(`SKIPPED: tests of devices need a C++ compiler for a fake backend, and there is no ${compiler}`);
  }
  const log = join(folder, 'log');
  writeFileSync(log, '');
  return {
    available,
    folder,
    library,
    environment: { SAMPLED_SOFTMAX_CUDA_LIBRARY: library, SAMPLED_SOFTMAX_DEVICE: '', FAKE_LOG: log },
    takeLog: () => {
      const lines = readFileSync(log, 'utf8').split('\n').slice(0, -1);
      writeFileSync(log, '');
      return lines;
    },
  };
}

/** The machine's peak: a small C++ program (bench/peak/fma.cc), compiled for this processor and run beside the timings. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const source = fileURLToPath(new URL('peak/fma.cc', import.meta.url));

/** Float32 GFLOP/s of multiply-adds on `threads` threads at once; undefined where no compiler is to be had. */
export function measurePeak(threads: number): number | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'sampled-softmax-peak-'));
  try {
    const program = join(folder, 'fma');
    execFileSync(process.env['CXX'] ?? 'c++', ['-O2', '-march=native', '-pthread', '-o', program, source], { stdio: 'pipe' });
    return Number(execFileSync(program, [String(threads)], { encoding: 'utf8' }));
  } catch {
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The machine's peak: a small C++ program (bench/peak/fma.cc), compiled for this processor, that takes turns with the steps. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const source = fileURLToPath(new URL('peak/fma.cc', import.meta.url));

export class Peak {
  /** The most that any measurement gave, in GFLOP/s; undefined before the first. */
  best: number | undefined;

  readonly #program: string;
  readonly #threads: number;

  private constructor(program: string, threads: number) {
    this.#program = program;
    this.#threads = threads;
  }

  /** Undefined where no compiler is to be had. */
  static compile(threads: number): Peak | undefined {
    const folder = mkdtempSync(join(tmpdir(), 'sampled-softmax-peak-'));
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    const program = join(folder, 'fma');
    try {
      execFileSync(process.env['CXX'] ?? 'c++', ['-O2', '-march=native', '-pthread', '-o', program, source], { stdio: 'pipe' });
    } catch {
      return undefined;
    }
    return new Peak(program, threads);
  }

  /** Float32 GFLOP/s of multiply-adds on all threads at once, over about `seconds`. */
  measure(seconds: number): number {
    const gflops = Number(execFileSync(this.#program, [String(this.#threads), String(seconds)], { encoding: 'utf8' }));
    this.best = Math.max(this.best ?? 0, gflops);
    return gflops;
  }
}

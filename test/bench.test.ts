/** How the bench ends where it cannot do what its flags ask for. */
import { describe, expect, it } from 'vitest';
import { runBench } from './bench-processes.ts';

describe('npm run bench -- --device cuda', () => {
  it('says in one line why there is no GPU', async () => {
    // Hides those that are there.
    const { code, stdout, stderr } = await runBench(['--device', 'cuda'], { CUDA_VISIBLE_DEVICES: '' });
    expect(stderr).toMatch(/^bench: no CUDA device: [^\n]+\n$/);
    expect(stdout).toBe('');
    expect(code).toBe(1);
  });

  it.each([
    ['--device', 'gpu'],
    ['--device', 'cuda:'],
    ['--device', 'cuda:01'],
    ['--device', ''],
    ['--scale', '0'],
    ['--gpu', 'abacus'],
  ])('refuses %s %s in one line', async (flag, value) => {
    const { code, stdout, stderr } = await runBench([flag, value, '--no-tfjs']);
    expect(stderr).toMatch(new RegExp(`^bench: ${flag}: [^\\n]*'${value}'[^\\n]*\\n$`));
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });
});

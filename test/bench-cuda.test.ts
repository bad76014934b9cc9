/** The bench from its flags to its tables, on a GPU or on the emulated one, with stand-ins for the peers' interpreters. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { runBench } from './bench-processes.ts';

const folder = mkdtempSync(join(tmpdir(), 'sampled-softmax-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A program that is started as Python would be, with the flags in "$*". */
function interpreter(name: string, body: string): string {
  const file = join(folder, name);
  writeFileSync(file, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return file;
}

const timings = [
  { arithmetic: 'float32', step: 'step', form: 'awaited', ms: 1000 },
  { arithmetic: 'float32', step: 'step', form: 'queued', ms: 1000 },
  { arithmetic: 'float32', step: 'training', failure: 'out of patience' },
  { arithmetic: 'tf32', failure: 'no such cores' },
];
const withGpu = interpreter(
  'with-gpu',
  `case "$*" in *--probe*) echo '{"system":"Torch 1","device":"a GPU"}';; *) echo '${JSON.stringify({ timings })}';; esac`,
);
const withoutGpu = interpreter('without-gpu', 'echo "JAX 1 finds no GPU 0" >&2; exit 1');

const rowsOf = (table: string): string[][] =>
  table
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) => line.split('|').slice(1, -1))
    .map((cells) => cells.map((cell) => cell.trim()));

const bench = ['--device', 'cuda', '--workload', 'odd', '--scale', '0.005', '--seconds', '0.001', '--no-tfjs'];

it('prints the times of all steps in all forms, and how long others take', async () => {
  const { code, stdout, stderr } = await runBench([...bench, '--gpu', 'L4', '--torch', withGpu, '--jax', withoutGpu]);
  expect(code, stderr).toBe(0);
  expect(stderr).toMatch(/^jax is left out: JAX 1 finds no GPU 0$/m);
  expect(stdout).toContain('- torch: Torch 1 on a GPU');
  expect(stdout).toContain('## odd: 4 x 50, 5 of 617');
  const [own, peers] = stdout.split('How many times as long').map(rowsOf) as [string[][], string[][]];

  const form = (name: string): string[] => [`${name} ms`, 'TFLOP/s', '× bound'];
  expect(own[0]).toEqual(['arithmetic', 'gradients', 'bound ms', ...form('Sync'), ...form('1 in flight'), ...form('2 in flight')]);
  const times = own.slice(2);
  expect(times.map((row) => row[0])).toEqual(
    ["float32 'highest'", "float32 'high'", "bfloat16 'high'"].flatMap((name) => [name, name, name]),
  );
  expect(new Set(times.map((row) => row[1]))).toEqual(new Set(['sparse, to the host', 'merged, on the device', 'training step']));
  for (const row of times) for (const cell of row.slice(2)) expect(Number(cell.replace(' ×', '')), row.join(' | ')).toBeGreaterThan(0);

  expect(peers[0]).toEqual(['arithmetic', 'step', 'torch', 'torch-compiled', 'best of them']);
  expect(peers).toHaveLength(2 + 12);
  const ratio = expect.stringMatching(/^\d+(\.\d\d)? × \(1000\)$/) as string;
  expect(peers[2]).toEqual(["float32 'highest'", 'step, awaited', ratio, ratio, expect.stringMatching(/^\d+(\.\d\d)? ×$/)]);
  expect(peers[4]).toEqual(["float32 'highest'", 'training, awaited', 'failed', 'failed', '–']);
  expect(peers[6]).toEqual(["float32 'high'", 'step, awaited', 'failed', 'failed', '–']);
  expect(peers[10]).toEqual(["bfloat16 'high'", 'step, awaited', '–', '–', '–']);
  expect(stdout).toContain("- torch, float32 'high': no such cores (merged, on the device; training step)");
});

it('says in one line that there is no such GPU', async () => {
  const { code, stdout, stderr } = await runBench(['--device', 'cuda:99']);
  expect(stderr).toMatch(/^bench: no 'cuda:99' here, but 'cuda:0'[^\n]*\n$/);
  expect(stdout).toBe('');
  expect(code).toBe(1);
});

/** Whether there is a CUDA device for tests of tables, and what they compare. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddingTable, type DType, type FloatArray } from '../lib/index.ts';
import { inProcess } from './processes.ts';

/** The vitest project 'cuda' names a device, and where it is emulated a library; so may whoever runs one file. */
export const hasDevice =
  Boolean(process.env['SAMPLED_SOFTMAX_CUDA_LIBRARY']) || (process.env['SAMPLED_SOFTMAX_DEVICE'] ?? '').startsWith('cuda');
if (!hasDevice) console.warn('SKIPPED: tests of tables on a device need SAMPLED_SOFTMAX_CUDA_LIBRARY or SAMPLED_SOFTMAX_DEVICE=cuda');

/** Whether the device is emulated, so that it has settings of its own (test/cuda-emulator/runtime/settings.h). */
export const isEmulated = (process.env['SAMPLED_SOFTMAX_CUDA_LIBRARY'] ?? '').includes('emulated');

export const dtypes: readonly DType[] = ['float32', 'float64', 'float16', 'bfloat16'];

/** The bytes of elements of a dtype, with one NaN for all: which one an addition gives is the processor's choice. */
export function bytesOf(view: ArrayBufferView, dtype: DType): Buffer {
  const elements = (view as Float32Array | Float64Array | Uint16Array).slice();
  const infinity = dtype === 'bfloat16' ? 0x7f80 : 0x7c00;
  elements.forEach((x, i) => {
    if (elements instanceof Uint16Array ? (x & 0x7fff) > infinity : Number.isNaN(x))
      elements[i] = elements instanceof Uint16Array ? 0x7fff : NaN;
  });
  return Buffer.from(elements.buffer);
}

export const whole = (table: EmbeddingTable): ArrayBufferView => table.viewSync(0, table.rows);

/** The same table in the host's memory and on the device. */
export function both<const D extends DType>(
  values: FloatArray,
  [rows, dim]: readonly [number, number],
  dtype: D,
): [EmbeddingTable<D>, EmbeddingTable<D>] {
  const given = { data: values, shape: [rows, dim] };
  return [EmbeddingTable.fromValuesSync(given, { dtype, device: 'cpu' }), EmbeddingTable.fromValuesSync(given, { dtype, device: 'cuda' })];
}

/** What the body posts, in a process of its own that must end well. */
export async function posted(body: string, environment: Record<string, string> = {}): Promise<unknown[]> {
  const { code, signal, output } = await inProcess(body, environment);
  if (code !== 0) throw new Error(`the process ended with ${code ?? signal}: ${output}`);
  const lines = output.trim().split('\n');
  return lines.map((line) => JSON.parse(line) as unknown);
}

/** The same, with what the emulator had found when the process had ended: memory that was left, too. */
export async function withFindings(
  body: string,
  environment: Record<string, string> = {},
): Promise<{ lines: unknown[]; findings: string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'sampled-softmax-tables-'));
  try {
    const file = join(folder, 'findings');
    const lines = await posted(body, { CUEMU_LEAKS: '1', CUEMU_FINDINGS: file, CUEMU_QUIET: '1', ...environment });
    return { lines, findings: existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [] };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

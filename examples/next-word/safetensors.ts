/**
 * Writes float32 tensors as a safetensors file: the length of the header (8 bytes, little-endian), the header (JSON), the
 * elements. Any safetensors reader loads it: https://huggingface.co/docs/safetensors
 */
import { writeFileSync } from 'node:fs';
import { endianness } from 'node:os';
import { cannotBeWritten } from './usage-error.ts';

export interface Tensor {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

/** `metadata` is kept beside the tensors, under the name that the format reserves for it. */
export function writeSafetensors(
  file: string,
  tensors: Readonly<Record<string, Tensor>>,
  metadata: Readonly<Record<string, string>>,
): void {
  const header: Record<string, unknown> = { __metadata__: metadata };
  const parts: Buffer[] = [];
  let offset = 0;
  for (const [name, { data, shape }] of Object.entries(tensors)) {
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + bytes.length] };
    // The format is little-endian whatever the machine is.
    parts.push(endianness() === 'LE' ? bytes : Buffer.from(bytes).swap32());
    offset += bytes.length;
  }
  const json = Buffer.from(JSON.stringify(header));
  // Elements begin at a multiple of 8 bytes, so that a reader can map the file; JSON may end in spaces.
  const padding = Buffer.alloc(-json.length & 7, ' ');
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length + padding.length));
  const contents = Buffer.concat([length, json, padding, ...parts]);
  try {
    writeFileSync(file, contents);
  } catch (error) {
    throw cannotBeWritten(file, error);
  }
}

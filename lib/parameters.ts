/** Weights, biases and inputs as arguments: plain arrays, `{ data, shape }`, tables, or arrays of shards. */
import type { NativeParameter, NativeShard } from '../binding.d.ts';
import { dtypeCode, readValues, type DType, type ValueView, type Values } from './arrays.ts';
import type { PlacedTable } from './devices.ts';
import { isTable, tableHandle, type EmbeddingTable } from './embedding-table.ts';
import { makeError, show } from './errors.ts';

/** How the rows of a sharded parameter are spread: TensorFlow's `embedding_lookup` strategies. */
export type PartitionStrategy = 'mod' | 'div';

export const partitionStrategies: readonly PartitionStrategy[] = ['mod', 'div'];

/** Values, or a table that the package keeps in memory of its own or of a device. */
export type Matrix = Values | EmbeddingTable;

/** A parameter with one row per class: whole, or in shards. */
export type Parameter = Matrix | readonly Matrix[];

export interface ReadMatrix {
  readonly name: string;
  readonly source: ValueView | EmbeddingTable;
  /** As stated by a table or a shape, otherwise undefined. */
  readonly rows: number | undefined;
  readonly width: number | undefined;
  readonly length: number;
  readonly dtype: DType;
}

/** Reads one matrix. `rank` 1 is a vector: shape `[rows]` or `[rows, 1]`, width 1. */
export function readMatrix(name: string, value: unknown, rank: 1 | 2): ReadMatrix {
  if (isTable(value)) {
    tableHandle(value); // throws where it has been disposed
    if (rank === 1 && value.dim !== 1) {
      throw makeError('ERR_SHAPE_MISMATCH', `${name}: expected a table of dim 1, got dim ${value.dim}`);
    }
    const { rows, dim, dtype } = value;
    return { name, source: value, rows, width: dim, length: rows * dim, dtype };
  }
  const view = readValues(name, value);
  const { shape, length, dtype } = view;
  if (shape === undefined) {
    return { name, source: view, rows: rank === 1 ? length : undefined, width: rank === 1 ? 1 : undefined, length, dtype };
  }
  const fits = shape.length === rank || (rank === 1 && shape.length === 2 && shape[1] === 1);
  if (!fits) {
    const wanted = rank === 1 ? '[classes]' : '[rows, dim]';
    throw makeError('ERR_SHAPE_MISMATCH', `${name}: expected shape ${wanted}, got [${shape.join(', ')}]`);
  }
  return { name, source: view, rows: shape[0], width: rank === 1 ? 1 : shape[1], length, dtype };
}

export function readParameter(name: string, value: unknown, rank: 1 | 2): { shards: ReadMatrix[]; sharded: boolean } {
  if (!Array.isArray(value)) return { shards: [readMatrix(name, value, rank)], sharded: false };
  if (value.length === 0) throw makeError('ERR_INVALID_ARG_VALUE', `${name}: expected at least one shard, got an empty array`);
  if (typeof value[0] === 'number') {
    throw makeError('ERR_INVALID_ARG_TYPE', `${name}: expected a typed array or an array of shards, got an array of numbers`);
  }
  return { shards: Array.from(value as unknown[], (shard, i) => readMatrix(`${name}[${i}]`, shard, rank)), sharded: true };
}

/** How many rows shard `shard` of `shards` holds; both strategies want the same sizes. */
export const shardRows = (shard: number, rows: number, shards: number): number =>
  Math.floor(rows / shards) + (shard < rows % shards ? 1 : 0);

/** Checks every shard's rows and width against the now known sizes, naming the shard that is wrong. */
export function checkParameter(shards: readonly ReadMatrix[], rows: number, width: number, what: string): void {
  shards.forEach((shard, i) => {
    const wanted = shardRows(i, rows, shards.length);
    const whole = shards.length === 1 ? '' : ` (${rows} rows over ${shards.length} shards)`;
    const stated = shard.width ?? width;
    if (stated !== width) {
      throw makeError('ERR_SHAPE_MISMATCH', `${shard.name}: has rows of ${stated}, but ${what} is ${width}`);
    }
    if (shard.length !== wanted * width || (shard.rows !== undefined && shard.rows !== wanted)) {
      const got = shard.rows === undefined ? `${shard.length} elements` : `[${shard.rows}, ${stated}]`;
      throw makeError('ERR_SHAPE_MISMATCH', `${shard.name}: expected [${wanted}, ${width}]${whole}, got ${got}`);
    }
  });
}

export function nativeShard(matrix: ReadMatrix): NativeShard {
  const { source } = matrix;
  if (isTable(source)) return tableHandle(source);
  const { data, dtype } = source;
  return data instanceof Float32Array || data instanceof Float64Array ? data : { data, dtype: dtypeCode[dtype] };
}

export function nativeParameter(shards: readonly ReadMatrix[]): NativeParameter {
  return shards.length === 1 ? nativeShard(shards[0] as ReadMatrix) : shards.map(nativeShard);
}

/** The plain arrays among the shards: memory that JavaScript could take away during an asynchronous call. */
export function plainArrays(shards: readonly ReadMatrix[]): { name: string; view: ArrayBufferView }[] {
  return shards.flatMap(({ name, source }) => (isTable(source) ? [] : [{ name, view: source.data }]));
}

/** The tables among the shards, and where they are. */
export function placedTables(shards: readonly ReadMatrix[]): PlacedTable[] {
  const tables: PlacedTable[] = [];
  for (const { name, source } of shards) {
    if (isTable(source)) tables.push({ name, device: source.device });
  }
  return tables;
}

/** One fact about a size, and who says so. */
export interface SizeClaim {
  readonly value: number | undefined;
  readonly from: string;
}

/** The size that all claims agree on; two that differ are an error naming both. */
export function agree(name: string, claims: readonly SizeClaim[]): number | undefined {
  let first: SizeClaim | undefined;
  for (const claim of claims) {
    if (claim.value === undefined) continue;
    first ??= claim;
    if (claim.value !== first.value) {
      throw makeError(
        'ERR_SHAPE_MISMATCH',
        `${name}: ${first.from} says ${show(first.value)}, but ${claim.from} says ${show(claim.value)}`,
      );
    }
  }
  return first?.value;
}

/** Weights, biases and inputs as arguments: plain arrays, `{ data, shape }`, tables, or arrays of shards. */
import type { NativeParameter, NativeShard } from '../binding.d.ts';
import { checkLength, dtypeCode, readValues, type DType, type ValueData, type Values } from './arrays.ts';
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
  readonly source: ValueData | EmbeddingTable;
  /** As stated by a table or a shape, otherwise undefined. */
  readonly rows: number | undefined;
  readonly width: number | undefined;
  readonly length: number;
  readonly dtype: DType;
}

export interface ReadParameter {
  readonly shards: readonly ReadMatrix[];
  readonly sharded: boolean;
  /** Of all shards, where each states its own. */
  readonly rows: number | undefined;
  /** Elements of all shards. */
  readonly length: number;
}

/** Reads one matrix. `rank` 1 is a vector: shape `[rows]` or `[rows, 1]`, width 1. */
export function readMatrix(name: string, value: unknown, rank: 1 | 2): ReadMatrix {
  if (!ArrayBuffer.isView(value) && isTable(value)) {
    tableHandle(value, name); // throws where it has been disposed
    if (rank === 1 && value.dim !== 1) {
      throw makeError('ERR_SHAPE_MISMATCH', `${name}: expected a table of dim 1, got dim ${value.dim}`);
    }
    const { rows, dim, dtype } = value;
    return { name, source: value, rows, width: dim, length: rows * dim, dtype };
  }
  const { data, shape, length, dtype } = readValues(name, value);
  if (shape === undefined) {
    return { name, source: data, rows: rank === 1 ? length : undefined, width: rank === 1 ? 1 : undefined, length, dtype };
  }
  const fits = shape.length === rank || (rank === 1 && shape.length === 2 && shape[1] === 1);
  if (!fits) {
    const wanted = rank === 1 ? '[classes]' : '[rows, dim]';
    throw makeError('ERR_SHAPE_MISMATCH', `${name}: expected shape ${wanted}, got [${shape.join(', ')}]`);
  }
  return { name, source: data, rows: shape[0], width: rank === 1 ? 1 : shape[1], length, dtype };
}

/** Reads a parameter: one matrix, or an array of its shards. */
export function readParameter(name: string, value: unknown, rank: 1 | 2): ReadParameter {
  if (!Array.isArray(value)) {
    const whole = readMatrix(name, value, rank);
    return { shards: [whole], sharded: false, rows: whole.rows, length: whole.length };
  }
  const given = Array.from(value as unknown[]);
  if (given.length === 0) throw makeError('ERR_INVALID_ARG_VALUE', `${name}: expected at least one shard, got an empty array`);
  if (typeof given[0] === 'number') {
    throw makeError('ERR_INVALID_ARG_TYPE', `${name}: expected a typed array or an array of shards, got an array of numbers`);
  }
  const shards = given.map((shard, i) => readMatrix(`${name}[${i}]`, shard, rank));
  const rows = shards.every((shard) => shard.rows !== undefined)
    ? shards.reduce((sum, shard) => sum + (shard.rows as number), 0)
    : undefined;
  return { shards, sharded: true, rows, length: shards.reduce((sum, shard) => sum + shard.length, 0) };
}

/** How many rows shard `shard` of `shards` holds; both strategies want the same sizes. */
export const shardRows = (shard: number, rows: number, shards: number): number =>
  Math.floor(rows / shards) + (shard < rows % shards ? 1 : 0);

/** Checks every shard's rows against the now known sizes, naming the shard that is wrong and `claims`, who said the sizes. */
export function checkParameter(shards: readonly ReadMatrix[], rows: number, width: number, ...claims: (readonly SizeClaim[])[]): void {
  for (let i = 0; i < shards.length; i++) {
    const shard = shards[i] as ReadMatrix;
    const wanted = shardRows(i, rows, shards.length);
    if (shard.length !== wanted * width || (shard.rows !== undefined && shard.rows !== wanted)) {
      const why = [...(shards.length === 1 ? [] : [`${rows} rows over ${shards.length} shards`]), ...claims.flatMap(saidBy)];
      const got = shard.rows === undefined ? `${shard.length} elements` : `[${shard.rows}, ${width}]`;
      const wants = `expected [${wanted}, ${width}]${why.length ? ` (${why.join(', ')})` : ''}`;
      throw makeError('ERR_SHAPE_MISMATCH', `${shard.name}: ${wants}, got ${got}`);
    }
  }
}

/** Throws where an array or a table is no longer what it was when it was read. */
export function checkStillThere({ name, source, length }: ReadMatrix): void {
  if (ArrayBuffer.isView(source)) checkLength(name, source, length);
  else tableHandle(source, name);
}

export function nativeShard(matrix: ReadMatrix): NativeShard {
  const { source, dtype } = matrix;
  if (!ArrayBuffer.isView(source)) return tableHandle(source);
  return dtype === 'float32' || dtype === 'float64' ? (source as Float32Array | Float64Array) : { data: source, dtype: dtypeCode[dtype] };
}

export function nativeParameter(shards: readonly ReadMatrix[]): NativeParameter {
  return shards.length === 1 ? nativeShard(shards[0] as ReadMatrix) : shards.map(nativeShard);
}

/** The plain arrays among the shards: memory that JavaScript could take away during an asynchronous call. */
export function plainArrays(shards: readonly ReadMatrix[]): { name: string; view: ArrayBufferView }[] {
  return shards.flatMap(({ name, source }) => (ArrayBuffer.isView(source) ? [{ name, view: source }] : []));
}

/** Adds the tables among the shards, and where they are, to `tables`. */
export function addPlacedTables(shards: readonly ReadMatrix[], tables: PlacedTable[]): PlacedTable[] {
  for (const { name, source } of shards) {
    if (!ArrayBuffer.isView(source)) tables.push({ name, device: source.device });
  }
  return tables;
}

/** One fact about a size, and who says so. */
export interface SizeClaim {
  readonly value: number | undefined;
  readonly from: string;
}

/** The first that says anything, for a message. */
export function saidBy(claims: readonly SizeClaim[]): string[] {
  const claim = claims.find(({ value }) => value !== undefined);
  return claim ? [`${claim.value} from ${claim.from}`] : [];
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

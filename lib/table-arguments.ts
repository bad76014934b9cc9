/** Checks of what the methods of a table are given. */
import type { NativeValues } from '../binding.d.ts';
import { dtypeCode, firstOutOfRange, readIds, readValues, type DType, type OwnIds } from './arrays.ts';
import { checkChoice, checkInteger, checkOptions } from './checks.ts';
import { keptRows, type DeviceRowGradients, type Kept } from './device-row-gradients.ts';
import { chooseDevice } from './devices.ts';
import { makeError, show } from './errors.ts';
import { readInitializer, readTableSeed } from './initializers.ts';

/** By their numbers in the addon. */
export const dtypes = ['float32', 'float64', 'float16', 'bfloat16'] as const;

export interface TableSize {
  readonly rows: number;
  readonly dim: number;
}

/** The arguments of the addon's createTable. */
export function readTableOptions(where: string, options: unknown): [number, number, number, number, number, number, bigint, number] {
  checkOptions(where, options, ['rows', 'dim', 'dtype', 'init', 'seed', 'device']);
  const { rows, dim, dtype, init, seed, device } = options as Record<string, unknown>;
  const { distribution, first, second } = readInitializer('init', init);
  return [
    checkInteger('rows', rows, 0),
    checkInteger('dim', dim, 0),
    dtypeCode[dtype === undefined ? 'float32' : checkChoice('dtype', dtype, dtypes)],
    distribution,
    first,
    second,
    readTableSeed('seed', seed),
    chooseDevice('device', device),
  ];
}

/** Row indices as a copy, each in the table. */
export function readRows(name: string, table: TableSize, indices: unknown): OwnIds {
  const { ids, shape } = readIds(name, indices);
  if (shape && shape.length !== 1) throw makeError('ERR_SHAPE_MISMATCH', `${name}: expected shape [n], got [${shape.join(', ')}]`);
  const at = firstOutOfRange(ids, table.rows);
  if (at >= 0) throw makeError('ERR_OUT_OF_RANGE', `${name}[${at}]: row ${ids[at]} is out of range [0, ${table.rows})`);
  return ids;
}

/** `[count, dim]` values. */
export function readRowValues(name: string, table: TableSize, count: number, values: unknown): NativeValues {
  const { data, dtype, length, shape } = readValues(name, values);
  const fits = !shape || (shape[0] === count && (shape[1] ?? 1) === table.dim && shape.length <= 2);
  if (!fits || length !== count * table.dim) {
    const got = shape ? `shape [${shape.join(', ')}]` : `${length} elements`;
    throw makeError('ERR_SHAPE_MISMATCH', `${name}: expected [${count}, ${table.dim}] (indices by dim), got ${got}`);
  }
  return { data, dtype: dtypeCode[dtype] };
}

/** Indices and values of a sparse gradient; what else it says of itself must be true of the table. */
export function readRowsToAdd(table: TableSize, rowGradients: unknown): { ids: OwnIds; values: NativeValues } {
  const name = 'rowGradients';
  checkOptions(name, rowGradients, ['indices', 'values', 'denseShape', 'count']);
  const { indices, values, denseShape: shape, count } = rowGradients as Record<string, unknown>;
  if (shape !== undefined && !(Array.isArray(shape) && shape[0] === table.rows && (shape[1] ?? 1) === table.dim)) {
    const got = Array.isArray(shape) ? `[${shape.map(show).join(', ')}]` : show(shape);
    throw makeError('ERR_SHAPE_MISMATCH', `${name}.denseShape: the table is [${table.rows}, ${table.dim}], got ${got}`);
  }
  const ids = readRows(`${name}.indices`, table, indices);
  if (count !== undefined && count !== ids.length) {
    throw makeError('ERR_SHAPE_MISMATCH', `${name}.count: there are ${ids.length} indices, got ${show(count)}`);
  }
  return { ids, values: readRowValues(`${name}.values`, table, ids.length, values) };
}

/** Gradients on a device that belong to a table of that device. */
export function readDeviceRows(table: TableSize & { readonly device: string }, gradients: DeviceRowGradients): Kept {
  const kept = keptRows(gradients, 'rowGradients');
  if (table.device !== kept.device) {
    const hint = table.device === 'cpu' ? '; toHost() gives a copy that it takes' : '';
    throw makeError('ERR_INVALID_ARG_VALUE', `rowGradients: they are on '${kept.device}', but the table is on '${table.device}'${hint}`);
  }
  const [rows, dim = 1] = kept.denseShape;
  if (rows !== table.rows || dim !== table.dim) {
    const got = `[${kept.denseShape.join(', ')}]`;
    throw makeError('ERR_SHAPE_MISMATCH', `rowGradients.denseShape: the table is [${table.rows}, ${table.dim}], got ${got}`);
  }
  return kept;
}

const arrayTypes = { float32: Float32Array, float64: Float64Array, float16: Uint16Array, bfloat16: Uint16Array };

/** An array for `length` elements as they are stored. */
export function allocate(dtype: DType, length: number): Float32Array | Float64Array | Uint16Array {
  try {
    return new arrayTypes[dtype](length);
  } catch (cause) {
    throw makeError('ERR_OUT_OF_MEMORY', `no typed array of ${length} elements can be made for the copy`, { cause });
  }
}

/** Accesses below 90 % of the ideal, each with its reason. */
import { runNames, type RunName } from './runs.ts';

interface Exception {
  readonly reason: string;
  /** Where each of the accesses is below the floor: one that no longer is fails the test, as one does that is not here. */
  readonly runs: readonly RunName[];
  /** The kernel, without its template arguments or their last ones where those do not matter, and a part of the line or of its caller's. */
  readonly accesses: readonly (readonly [kernel: string, text: string])[];
}

const dims = runNames.filter((name) => name.startsWith('dim'));

// ---- sums and partials

const ofRows: Exception[] = [
  {
    reason: 'the two partials of a row and tile are written by one lane',
    runs: runNames,
    accesses: [
      ['logits', 'p.partials.max[row * p.partials.pitch + column_tile] = max'],
      ['logits', 'p.partials.sum[row * p.partials.pitch + column_tile] = sum'],
    ],
  },
  {
    reason: 'a row has five partials, which begin anywhere; only with many columns are they whole sectors',
    runs: runNames,
    accesses: [
      ['finish_rows', 'max = tile_max[t] > max'],
      ['finish_rows', 'end.loss == Loss::logistic ? 1 : exp('],
    ],
  },
  {
    reason: "a warp's elements are of two rows or more, whose labels have gradients and rows of their own, which begin anywhere",
    runs: ['dim 80', 'dim 36', 'dim 17'],
    accesses: [['finish_input_gradients', 'sum += state.true_dz[j] * static_cast<double>(value_of(label_rows[j][d]))']],
  },
];

// ---- hits

const ofHits: Exception[] = [
  {
    reason: 'the rows of a warp have labels of their own, which lanes look through one by one, or by halves',
    runs: dims,
    accesses: [
      ['logits<float, BFloat16, bf16>', 'label[i] = row < p.batch ? p.hits.labels['],
      ['logits<float, Float16, f16>', 'label[i] = row < p.batch ? p.hits.labels['],
      ['logits<float, float, tf32>', 'if (labels[middle] < key)'],
      ['logits<float, float, tf32>', 'return begin < num_true && labels[begin] == key'],
    ],
  },
];

// ---- indices

const ofIndices: Exception[] = [
  {
    reason: 'the slots of a class are labels and columns, which lie anywhere',
    runs: [...dims, 'biases'],
    accesses: [
      ['merge_bias_gradients', 'const int64_t slot = alone ? i : segments.slots[i]'],
      ['merge_bias_gradients', 'sum += true_dz[slot]'],
      ['merge_bias_gradients', 'sum += sum_of_parts(columns.values'],
    ],
  },
  {
    reason: 'a lane reads the rows of its four columns one after the other',
    runs: ['biases'],
    accesses: [['class_gradients', 'T* out = p.values + (p.row_of ? p.row_of[row] : part']],
  },
  {
    reason: 'a group of values ends where the next begins: a warp of few rows reads an element more than fills its sectors',
    runs: ['dim 64', 'dim 36', 'dim 17'],
    accesses: [['add_rows', 'begin = starts ? starts[s] : s, end = starts ? starts[s + 1]']],
  },
  {
    reason: 'rows of one element take 16 bytes, and those of a sample lie anywhere',
    runs: ['biases'],
    accesses: [
      ['gather_biases', 'From::load(from[(index ? index[k] : k) * pitch])'],
      ['copy_rows<float32, float64>', 'read = load_chunk<kWidth>(source + d)'],
      ['add_rows', 'chunk = load_chunk<kWidth>(row + d)'],
      ['add_rows', 'store_chunk(row + d, chunk)'],
    ],
  },
];

// ---- rows that are no whole sectors

const ofUnevenRows: Exception[] = [
  {
    reason: 'rows begin in the middle of a sector: 64 bytes of one touch three',
    runs: ['dim 36', 'dim 17'],
    accesses: [
      ['logits', 'copy_16(place'],
      ['copy_rows', 'read = load_chunk<kWidth>(source + d)'],
      ['copy_rows', 'store_chunk(target + d, written)'],
    ],
  },
  {
    reason: 'the same',
    runs: ['dim 36'],
    accesses: [
      ['class_gradients', 'store_global(out + n, run)'],
      ['input_gradients', 'store_global(out + n, run)'],
      ['label_gradients<float, BFloat16>', 'out[d] = dz * value_of(x[d])'],
      ['label_gradients<float, Float16>', 'out[d] = dz * value_of(x[d])'],
      ['merge_class_gradients<float, BFloat16>', 'sum += slot < segments.labels ? true_dz[slot] * static_cast<double>('],
      ['merge_class_gradients<float, Float16>', 'sum += slot < segments.labels ? true_dz[slot] * static_cast<double>('],
      ['true_logits<BFloat16>', 'static_cast<double>(value_of(x[d]))'],
      ['true_logits<Float16>', 'static_cast<double>(value_of(x[d]))'],
    ],
  },
  {
    reason: 'the same, of rows that are shorter than a warp',
    runs: ['dim 17'],
    accesses: [
      ['add_rows', 'read = load_chunk<kWidth>(value)'],
      ['add_rows', 'chunk = load_chunk<kWidth>(row + d)'],
      ['add_rows', 'store_chunk(row + d, chunk)'],
    ],
  },
  {
    reason: 'rows begin at any element, so that neighbours are read and written one at a time',
    runs: ['dim 17'],
    accesses: [
      ['class_gradients', 'if (n + e < width) out[n + e] = run[e]'],
      ['input_gradients', 'if (n + e < width) out[n + e] = run[e]'],
      ['add_rows', 'if (d + e < dim) read.at[e] = value[e]'],
    ],
  },
];

export const exceptions: readonly Exception[] = [...ofRows, ...ofHits, ...ofIndices, ...ofUnevenRows];

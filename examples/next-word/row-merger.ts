/** Sums of rows by index: what a batch's gradient of an embedding table is made of. */

/** Rows of a gradient, each row of the table at most once: the form of the package's merged gradients. */
export interface Rows {
  readonly indices: ArrayLike<number | bigint>;
  readonly values: Float32Array;
  readonly count: number;
}

/** Adds rows up by their index. Its arrays are used again for every batch. */
export class RowMerger {
  private readonly dim: number;
  /** Where the sum of a table row stands in `values`, plus one; 0: nowhere yet. */
  private readonly slots: Int32Array;
  private readonly indices: Int32Array;
  private readonly values: Float32Array;
  private count = 0;

  constructor(tableRows: number, dim: number, capacity: number) {
    const rows = Math.min(tableRows, capacity);
    this.dim = dim;
    this.slots = new Int32Array(tableRows);
    this.indices = new Int32Array(rows);
    this.values = new Float32Array(rows * dim);
  }

  /** Adds `share` times row `row` of `source` to the sum for `index`. */
  add(index: number, source: Float32Array, row: number, share: number): void {
    const { dim, values } = this;
    let slot = this.slots[index] as number;
    if (slot === 0) {
      this.indices[this.count] = index;
      slot = this.slots[index] = ++this.count;
    }
    const to = (slot - 1) * dim;
    const from = row * dim;
    for (let d = 0; d < dim; d++) (values[to + d] as number) += share * (source[from + d] as number);
  }

  /** The sums so far. The next {@link clear} takes their arrays back. */
  rows(): Rows {
    return { indices: this.indices, values: this.values, count: this.count };
  }

  /** Starts again from nothing. */
  clear(): void {
    for (let slot = 0; slot < this.count; slot++) this.slots[this.indices[slot] as number] = 0;
    this.values.fill(0, 0, this.count * this.dim);
    this.count = 0;
  }
}

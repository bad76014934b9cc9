/** The nearest neighbours of a word: those whose embeddings point the same way. */

/** Rows of `[rows, dim]` scaled to length 1, so that a dot product is a cosine. */
function normalised(matrix: Float32Array, dim: number): Float32Array {
  const unit = matrix.slice();
  for (let from = 0; from < unit.length; from += dim) {
    const row = unit.subarray(from, from + dim);
    const length = Math.hypot(...row) || 1;
    for (let d = 0; d < dim; d++) (row[d] as number) /= length;
  }
  return unit;
}

/** For each of `rows`, the `count` other rows below `limit` with the greatest cosine, greatest first. */
export function nearestRows(matrix: Float32Array, dim: number, rows: readonly number[], count: number, limit: number): number[][] {
  const unit = normalised(matrix.subarray(0, limit * dim), dim);
  return rows.map((row) => {
    const own = unit.subarray(row * dim, (row + 1) * dim);
    const cosines = Float32Array.from({ length: limit }, (_, other) => {
      let dot = 0;
      for (let d = 0, at = other * dim; d < dim; d++, at++) dot += (own[d] as number) * (unit[at] as number);
      return dot;
    });
    const others = Array.from(cosines.keys()).filter((other) => other !== row);
    return others.sort((a, b) => (cosines[b] as number) - (cosines[a] as number)).slice(0, count);
  });
}

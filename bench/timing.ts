/** Timing of one step: medians, because a busy machine makes means meaningless. */

/** A step that takes longer than this is timed once: its own noise is small, and nobody waits for more. */
const slowMs = 10_000;
const fewestRuns = 3;

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Median milliseconds of `step` over about `seconds`, after warm-up runs. */
export async function timeStep(step: () => unknown, seconds: number): Promise<number> {
  const run = async (): Promise<number> => {
    const start = performance.now();
    const pending = step();
    // Awaiting what is no promise would add a turn of the event loop to the time.
    if (pending instanceof Promise) await pending;
    return performance.now() - start;
  };
  const first = await run();
  if (first > slowMs) return first;
  await run();
  const times: number[] = [];
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end || times.length < fewestRuns) times.push(await run());
  return median(times);
}

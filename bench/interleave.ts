/**
 * Rounds of ours, theirs, ours, theirs: neighbours in time meet the same machine, so their quotient means something even
 * where the milliseconds do not.
 */
import { median } from './timing.ts';

/** Something to compare with: another form of ours, or a peer. */
export interface Contestant {
  readonly name: string;
  /** Median milliseconds of a step over about so many seconds. */
  readonly measure: (seconds: number) => Promise<number>;
  /** How many rounds it takes part in, where that is fewer than all. */
  readonly rounds?: number;
}

/** Its time over ours, above 1 where ours is faster: `ratio`, the median over the rounds; `ratioOfBest`, of the best rounds. */
export type Outcome = { readonly ms: number; readonly ratio: number; readonly ratioOfBest: number } | { readonly failure: string };

export interface Comparison {
  /** Ours, over all rounds. */
  readonly ms: number;
  readonly outcomes: Readonly<Record<string, Outcome>>;
}

export async function interleave(
  ours: (seconds: number) => Promise<number>,
  contestants: readonly Contestant[],
  rounds: number,
  seconds: number,
  log: (line: string) => void,
): Promise<Comparison> {
  const mine: number[] = [];
  const theirs = new Map<string, { times: number[]; own: number[] }>();
  const failures = new Map<string, string>();
  for (let round = 0; round < rounds; round++) {
    if (contestants.length === 0) mine.push(await ours(seconds));
    for (const { name, measure, rounds: most = rounds } of contestants) {
      if (round >= most || failures.has(name)) continue;
      const own = await ours(seconds);
      mine.push(own);
      try {
        const time = await measure(seconds);
        const results = theirs.get(name) ?? { times: [], own: [] };
        results.times.push(time);
        results.own.push(own);
        theirs.set(name, results);
        log(`round ${round + 1}: ours ${own.toFixed(3)} ms, ${name} ${time.toFixed(3)} ms`);
      } catch (error) {
        failures.set(name, (error as Error).message);
        log(`${name}: ${(error as Error).message}`);
      }
    }
  }
  const outcome = (name: string): Outcome => {
    const failure = failures.get(name);
    if (failure !== undefined) return { failure };
    const { times, own } = theirs.get(name) ?? { times: [], own: [] };
    const ratio = median(times.map((time, i) => time / own[i]!));
    return { ms: median(times), ratio, ratioOfBest: Math.min(...times) / Math.min(...own) };
  };
  return { ms: median(mine), outcomes: Object.fromEntries(contestants.map(({ name }) => [name, outcome(name)])) };
}

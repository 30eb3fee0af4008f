/** Runs the work for every item, a few at a time and in their order. Nobody's failure stops the others. */
export async function inTurns<T, R>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<R>,
): Promise<PromiseSettledResult<R>[]> {
  const results: PromiseSettledResult<R>[] = [];
  let next = 0;
  const turn = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      const [result] = await Promise.allSettled([work(items[index] as T)]);
      results[index] = result;
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, turn));
  return results;
}

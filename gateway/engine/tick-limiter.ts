/**
 * Lets so many through in each turn of the event loop, the others in the next ones. What thousands begin at the same moment is all in
 * memory at the same moment, survives one collection after the other, and costs three times as much.
 */
export function createTurns(most: number): () => Promise<void> | undefined {
  let waiting: (() => void)[] = [];
  let left = most;
  let turns = false;

  const turn = (): void => {
    turns = false;
    left = most;
    const now = waiting.slice(0, most);
    waiting = waiting.slice(most);
    for (const go of now) go();
    left -= now.length;
    if (now.length > 0) nextTurn();
  };
  const nextTurn = (): void => {
    if (!turns) setImmediate(turn);
    turns = true;
  };

  return () => {
    nextTurn();
    if (left === 0) return new Promise((resolve) => waiting.push(resolve));
    left -= 1;
    return undefined;
  };
}

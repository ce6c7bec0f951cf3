/** So many places for each who asks, and no more. */
export interface Places {
  /** Gives the place back, once; undefined when there is none. */
  take(who: string): (() => void) | undefined;
}

export function createPlaces(most: number): Places {
  const taken = new Map<string, number>();
  return {
    take(who) {
      const count = taken.get(who) ?? 0;
      if (count >= most) return undefined;
      taken.set(who, count + 1);
      let isOver = false;
      return () => {
        if (isOver) return;
        isOver = true;
        const left = taken.get(who)! - 1;
        if (left > 0) taken.set(who, left);
        else taken.delete(who);
      };
    },
  };
}

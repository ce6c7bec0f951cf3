/** Figures of one subscription field. */
export interface Counters {
  /** Open subscriptions. */
  open: number;
  /** Streams that they share. */
  streams: number;
  /** Subscriptions whose client reads too slowly at the moment. */
  lagging: number;
  /** Events sent, counted per subscription. */
  sent: number;
  /** Events not sent: replaced by a newer one, or lost with a client that was too slow. */
  dropped: number;
}

/** One set of counters per subscription field, created on first use. */
export function createCounters(): { of: (field: string) => Counters; all: () => Record<string, Counters> } {
  const fields = new Map<string, Counters>();
  return {
    of(field) {
      let counters = fields.get(field);
      if (!counters) fields.set(field, (counters = { open: 0, streams: 0, lagging: 0, sent: 0, dropped: 0 }));
      return counters;
    },
    all: () => Object.fromEntries(fields),
  };
}

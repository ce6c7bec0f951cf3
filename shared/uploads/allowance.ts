/** Files and bytes of tickets to hand something in. */
export interface Allowance {
  files: number;
  bytes: number;
}

/** What these tickets amount to: those that were begun count with all they may bring, whether it came or not. */
export const drawnOf = (tickets: readonly { size: number }[]): Allowance => ({
  files: tickets.length,
  bytes: tickets.reduce((sum, { size }) => sum + size, 0),
});

/** Whether more was drawn than one owner may have at a time, so that nobody fills the store with files that never come to use. */
export const isBeyond = (drawn: Allowance, most: Allowance): boolean => drawn.files > most.files || drawn.bytes > most.bytes;

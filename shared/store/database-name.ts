/** MongoDB keeps these for itself, and refuses transactions in some of them. */
const RESERVED: readonly string[] = ['admin', 'config', 'local'];

/** The database of a subgraph. A name that MongoDB has taken gets `soko-` before it. */
export function databaseName(prefix: string, subgraph: string): string {
  const name = prefix + subgraph;
  return RESERVED.includes(name) ? `soko-${name}` : name;
}

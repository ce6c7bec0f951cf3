import type { Identity } from '#shared/base/identity.ts';

type Given = Readonly<Record<string, unknown>>;

/** What of the first of these that has it is handed on to subgraphs; undefined when nothing is. */
export type UseForwarded = (...given: readonly (Given | undefined)[]) => Identity['forwarded'];

/** Headers of clients for subgraphs that know them themselves. A socket may bring them as parameters of its connection. */
export function useForwarded(names: readonly string[]): UseForwarded {
  const wanted = names.map((name) => name.toLowerCase());
  if (wanted.length === 0) return () => undefined;
  return (...given) => {
    const forwarded: Record<string, string> = {};
    for (const source of given.toReversed()) {
      for (const [name, value] of Object.entries(source ?? {})) {
        if (wanted.includes(name.toLowerCase()) && typeof value === 'string') forwarded[name.toLowerCase()] = value;
      }
    }
    return forwarded;
  };
}

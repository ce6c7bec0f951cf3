import type { Identity } from '#shared/base/identity.ts';

type Given = Readonly<Record<string, unknown>>;

/** The headers to propagate, from the first source that has each; undefined when none are propagated. */
export type UsePropagatedHeaders = (...given: readonly (Given | undefined)[]) => Identity['forwarded'];

/** Propagates client headers to subgraphs that read them themselves. A socket may send them as connection parameters. */
export function usePropagatedHeaders(names: readonly string[]): UsePropagatedHeaders {
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

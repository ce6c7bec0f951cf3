import type { Subgraph } from '#shared/kit/define-subgraph.ts';

/** The step names of each version of each saga that was ever built, by subgraph, saga and version. */
export type SagaVersions = Record<string, Record<string, Record<string, string[]>>>;

/**
 * What `schema/sagas.json` holds: what it held before, and what is new. A version that is listed no more stays, so that its number is not given
 * again. Throws when steps changed under one version: open rows of it would have no definition to go on by.
 */
export function sagaVersions(subgraphs: readonly Pick<Subgraph, 'name' | 'sagas'>[], before: SagaVersions): SagaVersions {
  const all = structuredClone(before);
  for (const { name: subgraph, sagas } of subgraphs) {
    for (const { name, version, stepNames } of sagas) {
      const known = before[subgraph]?.[name]?.[version];
      if (known && known.join() !== stepNames.join())
        throw new Error(faultOf(`${subgraph}: the steps of the saga ${name}`, version, known, stepNames));
      ((all[subgraph] ??= {})[name] ??= {})[version] = stepNames;
    }
  }
  return sorted(all);
}

const faultOf = (what: string, version: number, before: string[], now: string[]): string =>
  `${what} are not those of version ${version} (were ${before.join(', ')}; are ${now.join(', ')}): give the new steps a version of their own and ` +
  `list the old one beside it while rows of it are open. Was version ${version} never deployed, delete it from schema/sagas.json.`;

const sorted = <T>(record: Record<string, T>): Record<string, T> =>
  Object.fromEntries(
    Object.entries(record)
      .sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))
      .map(([key, value]) => [key, isRecord(value) ? sorted(value) : value] as [string, T]),
  );

const isRecord = (value: unknown): value is Record<string, never> => typeof value === 'object' && value !== null && !Array.isArray(value);

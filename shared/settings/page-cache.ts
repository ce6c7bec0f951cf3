import type { Redis } from 'ioredis';
import { withinTime } from '../base/time-limit.ts';
import { createVersionedStore, tagVersionKey } from '../cache/cache-tags.ts';
import { ALL_SETTINGS, scopeTag } from './change-tags.ts';
import { SettingsPage } from './page.ts';

/** How long a version is waited for. */
const PATIENCE_MS = 50;
/** How long the subgraph that stores the values is waited for. */
const LOAD_MS = 1_000;
const TTL_SECONDS = 24 * 3_600;
/** Of scopes without values: clients may ask for any number of them. */
const EMPTY_TTL_SECONDS = 60;

/** Loads pages from the subgraph that stores the values. Rejects when it cannot be reached. */
export type LoadPages = (scopes: string[]) => Promise<{ scope: string; page: SettingsPage }[]>;

/** Pages in Redis, filled from the subgraph that stores the values. */
export function createPageCache({ redis, prefix, load }: { redis: Redis; prefix: string; load: LoadPages }) {
  const store = createVersionedStore(redis, { patienceMs: PATIENCE_MS });
  const slotOf = (scope: string) => ({
    key: `${prefix}:settings:${scope}`,
    versions: [tagVersionKey(prefix, scopeTag(scope))],
  });

  return {
    /** Changes with each change of any value; undefined when Redis does not respond. */
    async version(): Promise<string | undefined> {
      if (redis.status !== 'ready') return undefined;
      const found = withinTime(PATIENCE_MS, redis.get(tagVersionKey(prefix, ALL_SETTINGS)));
      return found.then(
        (version) => version ?? '-',
        () => undefined,
      );
    },
    /** Rejects when a page is neither in Redis nor to be had from its subgraph. */
    async read(scopes: string[]): Promise<Map<string, SettingsPage>> {
      const found = await store.read(scopes.map(slotOf));
      const pages = new Map<string, SettingsPage>();
      scopes.forEach((scope, index) => {
        const page = readPage(found?.[index]?.text);
        if (page) pages.set(scope, page);
      });
      const missing = scopes.filter((scope) => !pages.has(scope));
      if (missing.length === 0) return pages;
      const loaded = await withinTime(LOAD_MS, load(missing));
      for (const { scope, page } of loaded) pages.set(scope, page);
      const writes = loaded.flatMap(({ scope, page }) => {
        const versions = found?.[scopes.indexOf(scope)]?.versions;
        return versions === undefined ? [] : [{ key: slotOf(scope).key, versions, text: JSON.stringify(page), ttlSeconds: ttlOf(page) }];
      });
      void store.write(writes);
      return pages;
    },
  };
}

const ttlOf = ({ settings, overrides, flags }: SettingsPage): number =>
  [settings, overrides, flags].some((values) => Object.keys(values).length > 0) ? TTL_SECONDS : EMPTY_TTL_SECONDS;

/** Undefined for what another release of this code has written in another form. */
function readPage(text: string | undefined): SettingsPage | undefined {
  if (text === undefined) return undefined;
  try {
    return SettingsPage.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

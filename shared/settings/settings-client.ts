import type { Redis } from 'ioredis';
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import { withinTime } from '../base/time-limit.ts';
import { GLOBAL, scopeOf, type Flag, type FlagAttributes, type ScopeIds, type Setting } from './definitions.ts';
import { evaluateFlag, type FlagEvaluation, type KnownFlag } from './evaluate-flag.ts';
import { createPageCache, type LoadPages } from './page-cache.ts';
import { changedIds, EMPTY_PAGE, withPrerequisites, type SettingsPage } from './page.ts';
import { readValue } from './setting-value.ts';

interface SettingsClientOptions {
  redis: Redis;
  prefix: string;
  log: Logger;
  load: LoadPages;
}

/** `ids` of settings and flags whose global values or rules are others now; or whether values can be read at present. */
export type SettingsEvent = { kind: 'CHANGED'; ids: string[] } | { kind: 'STALE' | 'READY' };

/** What code reads of settings and flags. A read of known values does no I/O; an unreachable store changes nothing for it. */
export interface SettingsSource {
  /** The value of the most specific scope that has one; the default where none has, or where what is stored does not fit. */
  get<T, K extends string>(setting: Setting<T, K>, ids?: ScopeIds<K>): Promise<T>;
  evaluate(flag: Pick<Flag, 'id' | 'default' | 'per'>, attributes: FlagAttributes, now: Date): Promise<FlagEvaluation>;
  /** All registered flags, by id. */
  flags(): Promise<SettingsPage['flags']>;
  /** A setting of the subgraphs of this process. */
  findSetting(id: string): Setting | undefined;
  /** Returns the function that ends it. */
  onEvent(listener: (event: SettingsEvent) => void): () => void;
  /** True while values cannot be read: the last known ones, or the defaults, are in force. */
  isStale(): boolean;
}

/** The values of settings and flags in one process. */
export interface SettingsClient extends SettingsSource {
  /** A setting of a subgraph of this process; `replacement` is its default here. */
  define(setting: Setting, replacement?: unknown): void;
  defaultOf(setting: Setting): unknown;
  /** Looks for changes now. Settles when there is nothing newer to know, or no way to know it. */
  refresh(): Promise<void>;
  /** Ids of the flags that were evaluated, until they are forgotten. */
  evaluated(): string[];
  forgetEvaluated(ids: readonly string[]): void;
  /** Looks for changes every second, beside the announcements. Returns after the first look, or after `patienceMs`. */
  start(patienceMs: number): Promise<void>;
  stop(): void;
}

/** Values that were not confirmed for so long are looked at again. */
const MAX_AGE_MS = 5_000;
const POLL_MS = 1_000;
/** After a failed look nobody waits for this long. */
const REST_MS = 1_000;
/** Nobody who reads a value waits longer for it. */
const PATIENCE_MS = 300;
/** Scopes other than the global one, the least read ones are forgotten. */
const MAX_SCOPES = 5_000;

interface Loaded {
  page: SettingsPage;
  /** Parsed values, by setting. */
  values: Map<Setting, unknown>;
  /** Equal to the client's while nothing has changed since. */
  generation: number;
  /** While the page is only assumed to be empty: when it may be asked for again. */
  retryAt: number;
}

export function createSettingsClient({ redis, prefix, log, load }: SettingsClientOptions): SettingsClient {
  const pages = createPageCache({ redis, prefix, load });
  const scoped = new LRUCache<string, Loaded>({ max: MAX_SCOPES });
  const pending = new Map<string, Promise<Loaded>>();
  const defaults = new Map<Setting, unknown>();
  const defined = new Map<string, Setting>();
  const listeners = new Set<(event: SettingsEvent) => void>();
  const faults = new Set<string>();
  const evaluatedIds = new Set<string>();
  let global: Loaded = loadedOf(EMPTY_PAGE, -1);
  let generation = 0;
  let version: string | undefined;
  let confirmedAt = Number.NEGATIVE_INFINITY;
  let restUntil = Number.NEGATIVE_INFINITY;
  let isUnreachable = false;
  let refreshing: Promise<void> | undefined;
  let isAskedAgain = false;
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;

  /** One look at a time; who asks during one gets another one behind it, since the first may have looked too early. */
  function refresh(): Promise<void> {
    if (refreshing) {
      isAskedAgain = true;
      return refreshing;
    }
    refreshing = (async () => {
      do {
        isAskedAgain = false;
        await look();
      } while (isAskedAgain);
    })().finally(() => (refreshing = undefined));
    return refreshing;
  }

  async function look(): Promise<void> {
    const seen = await pages.version();
    // Without Redis the subgraph that stores the values is asked, which costs more.
    if (seen === undefined && performance.now() - confirmedAt < MAX_AGE_MS) return;
    if (seen === undefined || seen !== version || generation === 0) {
      try {
        const page = (await pages.read([GLOBAL])).get(GLOBAL) ?? EMPTY_PAGE;
        generation += 1;
        const before = global.page;
        global = loadedOf(page, generation);
        version = seen;
        const ids = changedIds(before, page);
        if (ids.length > 0) tell({ kind: 'CHANGED', ids });
      } catch (error) {
        restUntil = performance.now() + REST_MS;
        if (!isUnreachable) {
          log.warn({ err: error }, 'settings cannot be read; the last known values, or the defaults, stay in force');
          tell({ kind: 'STALE' });
        }
        isUnreachable = true;
        return;
      }
    }
    confirmedAt = performance.now();
    if (isUnreachable) {
      log.info('settings are read again');
      tell({ kind: 'READY' });
    }
    isUnreachable = false;
  }

  function tell(event: SettingsEvent): void {
    for (const listener of listeners) listener(event);
  }

  /** A promise only while nothing is known at all: whoever knows something goes on with it, and looks beside. */
  function ready(): Promise<unknown> | undefined {
    const now = performance.now();
    if (now - confirmedAt <= MAX_AGE_MS || now <= restUntil) return undefined;
    poll();
    const looking = refresh();
    if (generation > 0) return undefined;
    return withinTime(PATIENCE_MS, looking).catch(() => void (restUntil = performance.now() + REST_MS));
  }

  function poll(): void {
    if (!isStopped) timer ??= setInterval(() => void refresh(), POLL_MS).unref();
  }

  const isKnown = (known: Loaded | undefined): known is Loaded =>
    known !== undefined && (known.generation === generation || performance.now() < known.retryAt);

  /** The page of a scope. Without any way to read it: what is known of it, for a while. */
  function loadScope(scope: string): Promise<Loaded> {
    const under = pending.get(scope);
    if (under) return under;
    const begun = generation;
    const loading = withinTime(PATIENCE_MS, pages.read([scope]))
      .then(
        (found) => loadedOf(found.get(scope) ?? EMPTY_PAGE, begun),
        () => ({ ...loadedOf(scoped.get(scope)?.page ?? EMPTY_PAGE, -1), retryAt: performance.now() + REST_MS }),
      )
      .then((loaded) => {
        scoped.set(scope, loaded);
        return loaded;
      })
      .finally(() => pending.delete(scope));
    pending.set(scope, loading);
    return loading;
  }

  /** The pages of those scopes that hold a value for one of these ids; not a promise when all of them are known. */
  function readScopes(ids: readonly string[], scopeIds: FlagAttributes): Promise<unknown> | undefined {
    const wanted = new Set<string>();
    for (const id of ids) {
      for (const kind of global.page.overridden[id]?.kinds ?? []) {
        const scopeId = scopeIds[kind];
        if (scopeId !== null && scopeId !== undefined) wanted.add(scopeOf(kind, String(scopeId)));
      }
    }
    const missing = [...wanted].filter((scope) => !isKnown(scoped.get(scope)));
    return missing.length > 0 ? Promise.all(missing.map(loadScope)) : undefined;
  }

  function valueIn(loaded: Loaded | undefined, setting: Setting): unknown {
    const stored = loaded?.page.settings[setting.id];
    if (!loaded || stored === undefined) return undefined;
    if (loaded.values.has(setting)) return loaded.values.get(setting);
    const read = readValue(setting, stored);
    if ('fault' in read) warnOnce(setting.id, stored, read.fault);
    const value = 'fault' in read ? undefined : read.value;
    loaded.values.set(setting, value);
    return value;
  }

  function warnOnce(id: string, stored: string, fault: string): void {
    const key = `${id} ${stored}`;
    if (faults.has(key) || faults.size >= MAX_SCOPES) return;
    faults.add(key);
    log.warn({ setting: id, fault }, 'the stored value of a setting does not fit its definition; the default holds');
  }

  const defaultOf = (setting: Setting): unknown => (defaults.has(setting) ? defaults.get(setting) : setting.default);

  return {
    async get<T, K extends string>(given: Setting<T, K>, scopeIds?: ScopeIds<K>): Promise<T> {
      const setting = given as unknown as Setting;
      const ids: ScopeIds = scopeIds ?? {};
      const looking = ready();
      if (looking) await looking;
      const reading = readScopes([setting.id], ids);
      if (reading) await reading;
      const kinds = global.page.overridden[setting.id]?.kinds;
      if (kinds) {
        for (const kind of setting.per) {
          const scopeId = ids[kind];
          const value = scopeId && kinds.includes(kind) ? valueIn(scoped.get(scopeOf(kind, scopeId)), setting) : undefined;
          if (value !== undefined) return value as T;
        }
      }
      const value = valueIn(global, setting);
      return (value === undefined ? defaultOf(setting) : value) as T;
    },
    async evaluate(flag, attributes, now) {
      const looking = ready();
      if (looking) await looking;
      const reading = readScopes(withPrerequisites(flag.id, global.page), attributes);
      if (reading) await reading;
      evaluatedIds.add(flag.id);
      const { flags, segments } = global.page;
      const own: KnownFlag = { default: flag.default, per: flag.per, rules: flags[flag.id]?.rules ?? null };
      const state = {
        flag: (id: string) => (id === flag.id ? own : flags[id]),
        segment: (key: string) => segments[key],
        override: (id: string, kind: string, scopeId: string) => scoped.get(scopeOf(kind, scopeId))?.page.overrides[id],
      };
      return evaluateFlag(flag.id, state, attributes, now);
    },
    async flags() {
      const looking = ready();
      if (looking) await looking;
      return global.page.flags;
    },
    findSetting: (id) => defined.get(id),
    define(setting, replacement) {
      defined.set(setting.id, setting);
      if (replacement !== undefined) defaults.set(setting, replacement);
    },
    defaultOf,
    refresh,
    onEvent(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    isStale: () => isUnreachable,
    evaluated: () => [...evaluatedIds],
    forgetEvaluated(ids) {
      for (const id of ids) evaluatedIds.delete(id);
    },
    async start(patienceMs) {
      poll();
      await withinTime(patienceMs, refresh()).catch(() => undefined);
    },
    stop() {
      isStopped = true;
      clearInterval(timer);
    },
  };
}

const loadedOf = (page: SettingsPage, generation: number): Loaded => ({
  page,
  values: new Map(),
  generation,
  retryAt: Number.NEGATIVE_INFINITY,
});

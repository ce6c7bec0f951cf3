import type { z } from 'zod';

/*
 * Glossary. Setting: a value that admins change while the system runs. Flag: a setting that is on or off, by rules. Scope: for whom a value
 * holds, `GLOBAL` or one of a kind such as `board:brd_1`. Override: a value of a scope that is not global.
 */

/** The scope of a value that holds wherever no override does. */
export const GLOBAL = 'GLOBAL';

/** One scope of a kind, such as `board:brd_1`. */
export const scopeOf = (kind: string, id: string): string => `${kind}:${id}`;

/** A typed value that code reads with `ctx.settings.get`. `K` names the kinds of scopes that may override it. */
export interface Setting<T = unknown, K extends string = string> {
  kind: 'setting';
  /** `<owner>.<key>` */
  id: string;
  /** The subgraph whose code defines it. */
  owner: string;
  description: string;
  /** What a stored value must be; reading parses with it. */
  schema: z.ZodType;
  default: T;
  /** Most specific first: the first kind with a value wins. */
  per: readonly K[];
  /** True: stored and transported as ciphertext, and never shown. */
  encrypted: boolean;
  /** Environment variable of the owner's processes that replaces the default. */
  variable: string | undefined;
  /** Still read, with a line of warning. */
  formerVariable: string | undefined;
}

/** A switch that code reads with `ctx.flags.isOn`. `K` as in a setting. */
export interface Flag<K extends string = string> {
  kind: 'flag';
  /** `<owner>.<key>` */
  id: string;
  owner: string;
  description: string;
  default: boolean;
  per: readonly K[];
  /** True: clients may evaluate it. */
  public: boolean;
}

type IdOfEach<K extends string> = { readonly [kind in K]?: string | null | undefined };

/** For whom a setting is read: the id of each kind, where there is one. */
export type ScopeIds<K extends string = string> = [K] extends [never] ? Readonly<Record<string, never>> : IdOfEach<K>;

/** What is known about the subject of an evaluation. `targetingKey` is who is asked about where a rule names nothing else. */
export type FlagAttributes<K extends string = never> = Readonly<Record<string, string | number | boolean | null | undefined>> & IdOfEach<K>;

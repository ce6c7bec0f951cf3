import { z } from 'zod';
import { SettingsPage } from '../settings/page.ts';
import { defineCommand } from './define-command.ts';

/** The subgraph that stores the values of settings and flags of all others. */
export const CONFIG = 'config';

const id = z.string().max(200);
const ids = z.array(id).max(1_000);
const json = z.string().max(20_000);

const SettingRegistration = z.object({
  id,
  description: z.string().max(1_000),
  /** JSON Schema of a value. */
  schema: json,
  /** Null when there is none, or when it is a secret. */
  default: json.nullable(),
  per: z.array(z.string().max(50)).max(10),
  encrypted: z.boolean(),
});

const FlagRegistration = z.object({
  id,
  description: z.string().max(1_000),
  default: z.boolean(),
  per: z.array(z.string().max(50)).max(10),
  public: z.boolean(),
});

/** What the code of one subgraph defines. */
export const Registration = z.object({
  owner: z.string().max(100),
  /** When the newest file of its code was written, in epoch milliseconds: the newer of two builds is right. */
  build: z.int().min(0),
  settings: z.array(SettingRegistration).max(500),
  flags: z.array(FlagRegistration).max(500),
  /** Flags that the process evaluated since it last said so. */
  evaluated: ids,
});

export type Registration = z.infer<typeof Registration>;

/** Every process sends it at its start and every few minutes. Safe to repeat. */
export const registerDefinitions = defineCommand(CONFIG, 'registerDefinitions', {
  input: Registration,
  output: z.object({ accepted: z.boolean() }),
  changes: true,
});

/** The values of scopes; a scope without any has an empty page. */
export const readSettings = defineCommand(CONFIG, 'readSettings', {
  input: z.object({ scopes: z.array(z.string().max(300)).min(1).max(100) }),
  output: z.object({ pages: z.array(z.object({ scope: z.string(), page: SettingsPage })) }),
});

/** Asks the owner of a setting whether its own schema takes a value; null when it does. */
export const checkSetting = (owner: string) =>
  defineCommand(owner, 'checkSetting', {
    input: z.object({ id, value: json }),
    output: z.object({
      issue: z.object({ code: z.string(), path: z.array(z.union([z.string(), z.number()])), message: z.string() }).nullable(),
    }),
  });

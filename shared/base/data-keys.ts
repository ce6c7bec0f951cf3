import { z } from 'zod';
import { createCipher, type Cipher } from './encryption.ts';
import { env, parseEnv } from './env.ts';

const SecretsById = z
  .record(z.string(), z.string().min(32, 'must have at least 32 characters'))
  .refine((keys) => Object.keys(keys).every((id) => /^[a-z0-9-]{1,20}$/.test(id)), 'a key id may hold a-z, 0-9 and -, at most 20');

export const DataKeySettings = z
  .object({
    /** JSON, key id to secret: `{"k1":"...","k2":"..."}`. All of them decrypt. */
    DATA_KEYS: z
      .string()
      .default('{}')
      .transform((text, ctx): unknown => {
        try {
          return JSON.parse(text);
        } catch {
          ctx.addIssue({ code: 'custom', message: 'must be JSON' });
          return z.NEVER;
        }
      })
      .pipe(SecretsById),
    /** The key that encrypts. Left out, ciphertexts have no key id, and builds from before there were ids read them. */
    DATA_KEY_ID: z.string().optional(),
  })
  .superRefine(({ DATA_KEYS, DATA_KEY_ID }, ctx) => {
    if (DATA_KEY_ID !== undefined && !Object.hasOwn(DATA_KEYS, DATA_KEY_ID))
      ctx.addIssue({ code: 'custom', path: ['DATA_KEY_ID'], message: 'must be the id of a key of DATA_KEYS' });
  });

let parsed: { source: string; settings: z.output<typeof DataKeySettings> } | undefined;

/** The keys of this process. Throws one line when they cannot be used; a start asks for it. */
export function dataKeys(): { byId: Record<string, string>; currentId: string | undefined } {
  const { DATA_KEYS, DATA_KEY_ID } = process.env;
  const source = JSON.stringify([DATA_KEYS, DATA_KEY_ID]);
  if (parsed?.source !== source) parsed = { source, settings: parseEnv(DataKeySettings, { DATA_KEYS, DATA_KEY_ID }) };
  return { byId: parsed.settings.DATA_KEYS, currentId: parsed.settings.DATA_KEY_ID };
}

/** A cipher with the keys of this process. `unnamed`: the secret of ciphertexts without a key id; default INTERNAL_SECRET. */
export const dataCipher = (purpose: string, unnamed: string = env.INTERNAL_SECRET): Cipher =>
  createCipher(purpose, { ...dataKeys(), unnamed });

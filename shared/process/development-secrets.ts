import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { openDataFolder } from '../base/data-folder.ts';

interface Secrets {
  INTERNAL_SECRET: string;
  ACCESS_TOKEN_PRIVATE_KEY: string;
  ACCESS_TOKEN_PUBLIC_KEY: string;
}

/** Keys of this machine's own, made at the first start and kept; what the environment sets already is not touched. */
export function provideSecrets(file: string): void {
  if (!existsSync(file)) writeOnce(file, JSON.stringify(newSecrets(), null, 2));
  const kept = JSON.parse(readFileSync(file, 'utf8')) as Secrets;
  for (const [name, value] of Object.entries(kept)) process.env[name] ||= value;
}

/** In development, processes of one machine share the keys that `npm start` makes. Production and tests bring their own. */
export function provideDevelopmentSecrets(): void {
  const { NODE_ENV: environment, INTERNAL_SECRET: internal, ACCESS_TOKEN_PUBLIC_KEY: publicKey } = process.env;
  if ((environment || 'development') !== 'development' || (internal && publicKey)) return;
  provideSecrets(join(openDataFolder(), 'secrets.json'));
}

/** Several processes may start at the same time: the first file stays, and no process reads half of it. */
function writeOnce(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  const own = `${file}.${process.pid}`;
  writeFileSync(own, text, { mode: 0o600 });
  try {
    linkSync(own, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(own);
  }
}

function newSecrets(): Secrets {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519', {
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  return {
    INTERNAL_SECRET: randomBytes(32).toString('base64url'),
    ACCESS_TOKEN_PRIVATE_KEY: privateKey,
    ACCESS_TOKEN_PUBLIC_KEY: publicKey,
  };
}

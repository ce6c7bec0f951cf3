import { z } from 'zod';
import { StartError } from './start-error.ts';
import { validationMessage } from './validation-messages.ts';

/** Everybody can read it here. Who has it can sign as any viewer, an admin included, towards parts that use it. */
const DEVELOPMENT_SECRET = 'development-only-secret-of-this-machine';

const formerNames = new WeakMap<z.ZodType, Readonly<Record<string, string>>>();

/** Lets `parseEnv` read renamed variables of a schema under their former names too: `{ REDIS_PREFIX: 'QUEUE_PREFIX' }`. */
export function withFormerNames<T extends z.ZodType>(shape: T, names: Readonly<Record<string, string>>): T {
  formerNames.set(shape, names);
  return shape;
}

const text = z.string().min(1);

/** A PEM key may come in one line, its line breaks written as \n. */
export const pem = text.transform((key) => key.replaceAll(String.raw`\n`, '\n')).optional();

const environment = z.enum(['development', 'test', 'production']).default('development');
const logLevel = z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).optional();

const schema = z
  .object({
    NODE_ENV: environment,
    MONGODB_URI: z
      .string()
      .regex(/^mongodb(\+srv)?:\/\//, 'must begin with mongodb://')
      .default('mongodb://127.0.0.1:27017/?directConnection=true'),
    REDIS_URL: z
      .string()
      .regex(/^rediss?:\/\//, 'must begin with redis://')
      .default('redis://127.0.0.1:6379'),
    /** Prefix of every database name. */
    DATABASE_PREFIX: z
      .string()
      .regex(/^[a-z0-9_-]{0,30}$/, 'may hold a-z, 0-9, - and _, at most 30')
      .default(''),
    /** Prefix of every Redis key, queues included. */
    REDIS_PREFIX: z
      .string()
      .regex(/^[a-z0-9-]{1,40}$/, 'may hold a-z, 0-9 and -, at most 40')
      .default('soko'),
    /** Signs what processes tell each other about the viewer. */
    INTERNAL_SECRET: z.string().min(32, 'must have at least 32 characters').optional(),
    ACCESS_TOKEN_PRIVATE_KEY: pem,
    ACCESS_TOKEN_PUBLIC_KEY: pem,
    LOG_LEVEL: logLevel,
    HOST: text.default('127.0.0.1'),
    PORT: z.coerce.number().int().min(0).max(65_535).optional(),
  })
  .transform((values, ctx) => {
    if (!values.INTERNAL_SECRET && values.NODE_ENV === 'production') {
      ctx.addIssue({
        code: 'custom',
        path: ['INTERNAL_SECRET'],
        message: 'must be set in production',
      });
    }
    if (values.INTERNAL_SECRET === DEVELOPMENT_SECRET && values.NODE_ENV === 'production') {
      ctx.addIssue({ code: 'custom', path: ['INTERNAL_SECRET'], message: 'must be one of your own in production' });
    }
    return {
      ...values,
      INTERNAL_SECRET: values.INTERNAL_SECRET ?? DEVELOPMENT_SECRET,
      LOG_LEVEL: values.LOG_LEVEL ?? defaultLogLevel(values.NODE_ENV),
    };
  });

export const environmentSchema = withFormerNames(schema, { REDIS_PREFIX: 'QUEUE_PREFIX' });

export type Env = z.output<typeof environmentSchema>;
export type EnvSource = Readonly<Record<string, string | undefined>>;

const warned = new Set<string>();

/** The variables under their present names, which win over former ones. Warns once in a process of each former name. */
function withPresentNames(given: Record<string, string | undefined>, names: Readonly<Record<string, string>>): EnvSource {
  const former = Object.entries(names).filter(([, old]) => given[old] !== undefined);
  for (const [name, old] of former) {
    if (!warned.has(old)) process.stderr.write(`Environment: ${old} is called ${name} now; the former name is still read.\n`);
    warned.add(old);
  }
  return { ...Object.fromEntries(former.map(([name, old]) => [name, given[old]])), ...given };
}

/** Parses environment variables by a schema. Throws one line that names each wrong variable, never its value. */
export function parseEnv<T extends z.ZodType>(shape: T, source: EnvSource = process.env): z.output<T> {
  // Compose files pass unset variables as empty text.
  const given = Object.fromEntries(Object.entries(source).filter(([, value]) => value !== undefined && value !== ''));
  const result = shape.safeParse(withPresentNames(given, formerNames.get(shape) ?? {}), { error: environmentMessage });
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new StartError(`Environment: ${faults.join('; ')}`);
}

const environmentMessage = (issue: z.core.$ZodRawIssue): string =>
  issue.code === 'invalid_format' && issue.format === 'url'
    ? 'must be an address such as https://shop.example.org'
    : validationMessage(issue);

/** What every process reads, also one that needs no store. */
export const logSettings = z.object({ NODE_ENV: environment, LOG_LEVEL: logLevel });

/**
 * The level alone: logs are made at import, when other variables may not be there yet. A wrong value counts as left out here; the start of
 * the process refuses it.
 */
export function readLogLevel(source: EnvSource): Env['LOG_LEVEL'] {
  const { data } = logSettings.safeParse({ NODE_ENV: source['NODE_ENV'] || undefined, LOG_LEVEL: source['LOG_LEVEL'] || undefined });
  return data?.LOG_LEVEL ?? defaultLogLevel(data?.NODE_ENV ?? 'development');
}

/** A failing test is read by a person: no log lines between unless they are asked for. */
function defaultLogLevel(environmentName: z.output<typeof environment>) {
  return environmentName === 'test' ? 'silent' : 'info';
}

export const readEnv = (source: EnvSource): Env => parseEnv(environmentSchema, source);

/** For parts that are started alone; `npm start` makes a secret for all of them. */
export function warnOfPublicSecret(log: { warn(message: string): void }, { INTERNAL_SECRET, HOST }: Env = env): void {
  if (INTERNAL_SECRET !== DEVELOPMENT_SECRET) return;
  log.warn(`INTERNAL_SECRET is not set: one that everybody knows is used, so whoever reaches ${HOST} may act as any user here`);
}

let parsed: Env | undefined;

/** The process's environment. Parsed at the first use, not at import, so that a starter may still set addresses. */
export const env: Env = new Proxy({} as Env, {
  get: (_target, name: keyof Env) => (parsed ??= readEnv(process.env))[name],
});

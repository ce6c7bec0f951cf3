import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { checkSource } from './check-source.ts';

export type Channel = 'EMAIL' | 'SMS';

/** The files of each channel: `templates/<name>.<locale>.<part>.hbs`. */
const PARTS = { EMAIL: ['subject', 'html', 'text'], SMS: ['sms'] } as const satisfies Record<Channel, readonly Part[]>;
export type Part = 'subject' | 'html' | 'text' | 'sms';

/** Every template is there in this one; other locales fall back to it. */
export const FALLBACK_LOCALE = 'en';

/** By locale. A locale has all parts of its template. */
export type Sources = Readonly<Record<string, Partial<Record<Part, string>>>>;

interface TemplateOptions<T extends z.ZodRawShape> {
  channels: readonly Channel[];
  /** Others are refused when the message is sent. */
  params: z.ZodObject<T>;
  /** `token`: what the message's link lets its reader in with. It travels encrypted and is never one of the params. */
  secrets?: readonly 'token'[];
  /** Params for previews and tests. */
  sample: z.input<z.ZodObject<T>>;
}

export interface Template<T = Record<string, unknown>> {
  /** Unique in the whole system. */
  name: string;
  owner: string;
  /** Of its sources: a message is rendered with the texts of the build that sent it. */
  version: string;
  channels: readonly Channel[];
  params: z.ZodType<T>;
  secrets: readonly 'token'[];
  sample: Record<string, unknown>;
  sources: Sources;
}

type Declared<T extends z.ZodRawShape> = TemplateOptions<T>;

/** Declares one template: `template({ channels: ['EMAIL'], params: z.object({ name: z.string() }), sample: { name: 'Ann' } })`. */
export const template = <T extends z.ZodRawShape>(options: TemplateOptions<T>): Declared<T> => options;

type Templates<D extends Record<string, Declared<any>>> = {
  readonly [N in keyof D]: Template<D[N] extends Declared<infer T> ? z.output<z.ZodObject<T>> : never>;
};

/**
 * The messages of a subgraph, with the texts in `<folder>/templates/`. Reads and checks them at once: a text that is missing, or that uses a
 * variable that its params do not have, is told at the start.
 */
export function defineTemplates<D extends Record<string, Declared<any>>>(owner: string, folder: string, declared: D): Templates<D> {
  const found = readSources(join(folder, 'templates'));
  const made = Object.entries(declared).map(([name, options]): [string, Template] => {
    const { channels, params, secrets = [], sample } = options as Declared<z.ZodRawShape>;
    const sources = found.get(name) ?? {};
    const parts = channels.flatMap((channel): readonly Part[] => PARTS[channel]);
    refuseGaps(name, sources, parts);
    for (const [locale, texts] of Object.entries(sources))
      for (const [part, text] of Object.entries(texts))
        checkSource(text, {
          file: `${name}.${locale}.${part}.hbs`,
          variables: [...Object.keys(params.shape), ...secrets],
          part: part as Part,
        });
    const version = createHash('sha256').update(JSON.stringify(sources)).digest('base64url').slice(0, 16);
    return [name, { name, owner, version, channels, params: params.strict() as Template['params'], secrets, sample, sources }];
  });
  const stray = [...found.keys()].find((name) => name !== 'layout' && !Object.hasOwn(declared, name));
  if (stray !== undefined) throw new Error(`${owner}: templates/ holds texts of ${stray}, which is not defined.`);
  return Object.fromEntries(made) as unknown as Templates<D>;
}

function refuseGaps(name: string, sources: Sources, parts: readonly Part[]): void {
  for (const locale of new Set([FALLBACK_LOCALE, ...Object.keys(sources)])) {
    const has = Object.keys(sources[locale] ?? {});
    const missing = parts.find((part) => !has.includes(part));
    if (missing) throw new Error(`${name}: templates/${name}.${locale}.${missing}.hbs is missing.`);
    const stray = has.find((part) => !parts.includes(part as Part));
    if (stray) throw new Error(`${name}: templates/${name}.${locale}.${stray}.hbs belongs to no channel of the template.`);
  }
}

const FILE = /^([a-z][a-z0-9-]*)\.([a-z]{2,3}(?:-[A-Z]{2})?)\.(subject|html|text|sms)\.hbs$/;

/** All texts of a folder, by template. */
export function readSources(folder: string): Map<string, Sources> {
  const found = new Map<string, Record<string, Partial<Record<Part, string>>>>();
  for (const file of readdirSync(folder).sort()) {
    const [, name, locale, part] = FILE.exec(file) ?? [];
    if (!name || !locale) throw new Error(`templates/${file}: a template is called <name>.<locale>.<subject|html|text|sms>.hbs.`);
    const sources = found.get(name) ?? {};
    found.set(name, sources);
    (sources[locale] ??= {})[part as Part] = readFileSync(join(folder, file), 'utf8').replace(/\n$/, '');
  }
  return found;
}

/** A fault of the code that sends: the transaction that would have sent the message fails with it. */
class MessageParamsError extends Error {
  readonly template: string;
  readonly paths: string[];

  constructor(name: string, issues: readonly z.core.$ZodIssue[]) {
    const faults = issues.map((issue) => `${issue.path.join('.') || 'params'}: ${issue.message}`);
    super(`The message ${name} cannot be sent: ${faults.join('; ')}`);
    this.name = 'MessageParamsError';
    this.template = name;
    this.paths = issues.flatMap((issue) => (issue.code === 'unrecognized_keys' ? issue.keys : [issue.path.join('.')]));
  }
}

/** Params and token as they travel. Throws a MessageParamsError for a missing or unknown one. */
export function checkedParams(of: Template<any>, params: unknown, token: string | undefined): Record<string, unknown> {
  const parsed = of.params.safeParse(params);
  if (!parsed.success) throw new MessageParamsError(of.name, parsed.error.issues);
  const wantsToken = of.secrets.includes('token');
  if (wantsToken !== (token !== undefined))
    throw new MessageParamsError(of.name, [
      { code: 'custom', path: ['token'], message: wantsToken ? 'must be given' : 'is not one of its secrets', input: undefined },
    ]);
  return parsed.data as Record<string, unknown>;
}

import Handlebars from 'handlebars';
import { FALLBACK_LOCALE, readSources, type Part, type Sources } from './define-templates.ts';
import { checkSource } from './check-source.ts';
import { join } from 'node:path';

export interface Rendered {
  subject: string;
  html: string;
  text: string;
}

export interface RenderOptions {
  params: Record<string, unknown>;
  token?: string | undefined;
  /** Of the reader: the language of the texts, where there are such, and the form of dates. */
  locale?: string | null | undefined;
  /** Links begin with it. */
  publicUrl: string;
}

/** What stands around every mail: `templates/layout.<locale>.<html|text>.hbs` of the subgraph that sends. */
export type Layout = Sources;

/** Reads and checks the layout of a sender. `body` is the rendered text of the message. */
export function readLayout(folder: string): Layout {
  const sources = readSources(join(folder, 'templates')).get('layout');
  if (!sources?.[FALLBACK_LOCALE]) throw new Error(`${folder}/templates holds no layout.${FALLBACK_LOCALE}.html.hbs.`);
  for (const [locale, texts] of Object.entries(sources))
    for (const [part, text] of Object.entries(texts))
      checkSource(text, { file: `layout.${locale}.${part}.hbs`, variables: ['body', 'subject'], part: part as Part, raw: ['body'] });
  return sources;
}

/** The mail of a template in the language of its reader. */
export function renderMail(sources: Sources, layout: Layout, options: RenderOptions): Rendered {
  const texts = localeOf(sources, options.locale);
  const subject = oneLine(renderPart(texts.text.subject, { ...options, isHtml: false }));
  const within = (part: 'html' | 'text'): string => {
    const body = renderPart(texts.text[part], { ...options, isHtml: part === 'html' });
    const around = layout[texts.locale] ?? layout[FALLBACK_LOCALE];
    const params = { body, subject };
    return renderPart(around?.[part], { ...options, params, token: undefined, language: texts.locale, isHtml: part === 'html' });
  };
  return { subject, html: within('html'), text: within('text') };
}

/** The text message of a template. */
export const renderSms = (sources: Sources, options: RenderOptions): string =>
  renderPart(localeOf(sources, options.locale).text.sms, { ...options, isHtml: false });

/** The texts for `ny-ZM`: of that locale, otherwise of `ny`, otherwise of `en`. */
function localeOf(sources: Sources, wanted: string | null | undefined): { locale: string; text: Partial<Record<Part, string>> } {
  const candidates = [wanted, wanted?.split('-', 1)[0], FALLBACK_LOCALE];
  const locale = candidates.find((each) => each && Object.hasOwn(sources, each)) ?? FALLBACK_LOCALE;
  return { locale, text: sources[locale] ?? {} };
}

/** A line break in a header would begin another one. */
const oneLine = (subject: string): string => subject.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim();

interface PartOptions extends RenderOptions {
  isHtml: boolean;
  /** Of the texts; default: the reader's. */
  language?: string;
}

function renderPart(source: string | undefined, { params, token, locale, language, publicUrl, isHtml }: PartOptions): string {
  if (source === undefined) throw new Error('The template has no such part.');
  const values = { ...params, ...(token !== undefined && { token }), publicUrl, locale: language ?? locale ?? FALLBACK_LOCALE };
  // As they travel: no functions, no prototypes of the caller.
  const plain = JSON.parse(JSON.stringify(values)) as Record<string, unknown>;
  return compiled(source, isHtml)(plain, { data: { reader: { locale, publicUrl } } });
}

const COMPILED_MAX = 500;
const cache = new Map<string, HandlebarsTemplateDelegate>();

function compiled(source: string, isHtml: boolean): HandlebarsTemplateDelegate {
  const key = `${isHtml} ${source}`;
  const known = cache.get(key);
  if (known) return known;
  if (cache.size >= COMPILED_MAX) cache.clear();
  const made = (isHtml ? html : text).compile(source, {
    strict: true,
    noEscape: !isHtml,
    knownHelpersOnly: true,
    knownHelpers: { date: true, link: true, if: true, unless: true, each: true },
  });
  cache.set(key, made);
  return made;
}

/** An environment of its own: helpers that others register elsewhere do not exist here. */
function createEnvironment(isHtml: boolean): typeof Handlebars {
  const environment = Handlebars.create();
  for (const name of ['log', 'lookup', 'with', 'helperMissing', 'blockHelperMissing']) environment.unregisterHelper(name);
  environment.registerHelper('date', (iso: string, ...rest: unknown[]) => {
    const { data } = rest.at(-1) as { data: ReaderData };
    return formatDate(iso, rest.length > 1 ? String(rest[0]) : 'UTC', data.reader.locale);
  });
  environment.registerHelper('link', (path: string, { hash, data }: { hash: Record<string, unknown>; data: ReaderData }) => {
    const query = Object.entries(hash).map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
    const address = `${data.reader.publicUrl}${path}${query.length > 0 ? `?${query.join('&')}` : ''}`;
    return isHtml ? new environment.SafeString(escapeAttribute(address)) : address;
  });
  return environment;
}

interface ReaderData {
  reader: { locale: string | null | undefined; publicUrl: string };
}

const html = createEnvironment(true);
const text = createEnvironment(false);

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Handlebars escapes `=` too, which makes addresses hard to read in a mail's source. */
const escapeAttribute = (address: string): string => address.replaceAll(/[&<>"']/g, (character) => ENTITIES[character]!);

/** A moment as the reader writes it, in the time zone that the message is about; in British English where the locale cannot be written. */
function formatDate(iso: string, timeZone: string, locale: string | null | undefined): string {
  const shape = { day: 'numeric', month: 'long', year: 'numeric', hour: '2-digit', minute: '2-digit', timeZoneName: 'short' } as const;
  return new Intl.DateTimeFormat([...(locale ? [locale] : []), 'en-GB'], { ...shape, timeZone }).format(new Date(iso));
}

import { expect, test } from '@jest/globals';
import { join } from 'node:path';
import type { Subgraph } from '#shared/kit/define-subgraph.ts';
import { readRoverConfig } from '#shared/process/rover-config.ts';
import { checkedParams, type Template } from '#shared/templates/define-templates.ts';
import { renderMail, renderSms } from '#shared/templates/render.ts';
import { layout } from '../subgraphs/accounts/actions/mail.ts';

const names = readRoverConfig(join(import.meta.dirname, '..'), {}).map(({ name }) => name);
const templates: Template<any>[] = (
  await Promise.all(names.map(async (name) => ((await import(`../subgraphs/${name}/subgraph.ts`)) as { subgraph: Subgraph }).subgraph))
).flatMap((subgraph) => subgraph.templates);
const cases = templates.flatMap((template) => Object.keys(template.sources).map((locale) => ({ name: template.name, locale, template })));

test('every template has a name of its own in the whole system', () => {
  expect(templates.length).toBeGreaterThan(10);
  expect(new Set(templates.map(({ name }) => name)).size).toBe(templates.length);
});

test.each(cases)('$name in $locale says what it says in English, with its sample', ({ template, locale }) => {
  const token = template.secrets.includes('token') ? 'x'.repeat(43) : undefined;
  const params = checkedParams(template, template.sample, token);
  const options = { params, token, locale, publicUrl: 'https://soko.example' };

  if (template.channels.includes('EMAIL')) {
    const { subject, html, text } = renderMail(template.sources, layout, options);
    const links = (body: string) => [...body.matchAll(/https:\/\/[^\s"<]+/g)].map(([link]) => link);
    const english = renderMail(template.sources, layout, { ...options, locale: 'en' });
    expect(subject).toMatch(/\S/);
    expect(links(text)).toEqual(links(html));
    expect(links(text)).toEqual(links(english.text));
    expect(links(text).every((link) => token !== undefined && link.endsWith(`?token=${token}`))).toBe(true);
    expect(links(text)).toHaveLength(token ? 1 : 0);
    expect(html).toContain(`<html lang="${locale}">`);
    expect(`${subject}${html}${text}`).not.toMatch(/\{\{|undefined|\[object/);
  }
  if (template.channels.includes('SMS')) expect(renderSms(template.sources, options)).toMatch(/\S/);
});

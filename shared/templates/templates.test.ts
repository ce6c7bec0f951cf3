import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import Handlebars from 'handlebars';
import { z } from 'zod';
import { defineTemplates, template } from './define-templates.ts';
import { readLayout, renderMail, renderSms } from './render.ts';

const params = z.object({ name: z.string(), items: z.array(z.string()), note: z.string().optional() });
const sample = { name: 'Ann', items: ['a'] };
const MAIL = { 'note.en.subject': '{{name}}', 'note.en.html': '<p>{{name}}</p>', 'note.en.text': '{{name}}' };

/** Templates of a folder with these files. */
function define(files: Record<string, string>, channels: ('EMAIL' | 'SMS')[] = ['EMAIL']) {
  const folder = mkdtempSync(join(tmpdir(), 'templates-'));
  mkdirSync(join(folder, 'templates'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, 'templates', `${name}.hbs`), `${text}\n`);
  const { note } = defineTemplates('notes', folder, { note: template({ channels, params, secrets: ['token'], sample }) });
  return { note, folder };
}

const layout = { en: { html: '<html lang="{{locale}}">{{{body}}}</html>', text: '-{{body}}-' } };
const render = (files: Record<string, string>, values: object, options: object = {}) =>
  renderMail(define({ ...MAIL, ...files }).note.sources, layout, {
    params: { ...sample, ...values },
    publicUrl: 'https://notes.example',
    ...options,
  });

test('a mail has a subject, HTML and text, within the layout', () => {
  expect(render({}, {})).toEqual({ subject: 'Ann', html: '<html lang="en"><p>Ann</p></html>', text: '-Ann-' });
});

test('params are escaped in HTML only, and never read as a template', () => {
  const { html, text, subject } = render({}, { name: '<script>alert(1)</script> {{7}} {{token}}' }, { token: 'secret' });

  expect(html).toBe('<html lang="en"><p>&lt;script&gt;alert(1)&lt;/script&gt; {{7}} {{token}}</p></html>');
  expect(text).toBe('-<script>alert(1)</script> {{7}} {{token}}-');
  expect(subject).not.toContain('secret');
});

test.each(['\r\nBcc: a@b.example', '\nBcc: a@b.example', '\u2028Bcc: a@b.example', '\0Bcc: a@b.example'])(
  'a subject with %j is one line',
  (more) => {
    expect(render({}, { name: `Ann${more}` }).subject).toBe('Ann Bcc: a@b.example');
  },
);

test.each([
  ['ny', 'Moni Ann'],
  ['ny-ZM', 'Moni Ann'],
  ['fr', 'Ann'],
  ['__proto__', 'Ann'],
  [null, 'Ann'],
])('the locale %s gets the texts of its language, otherwise English', (locale, subject) => {
  const ny = { 'note.ny.subject': 'Moni {{name}}', 'note.ny.html': '<p>Moni</p>', 'note.ny.text': 'Moni' };

  expect(render(ny, {}, { locale }).subject).toBe(subject);
});

test('blocks, dates and links are written for the reader', () => {
  const text = [
    '{{#each items}}{{this}};{{/each}}{{#if note}}{{note}}{{else}}no note{{/if}}',
    "{{date name 'Africa/Lusaka'}}",
    "{{link '/notes' token=token}}",
  ].join(' ');
  const values = { items: ['a', 'b'], name: '2026-12-06T07:34:12.534Z' };
  const read = render({ 'note.en.text': text, 'note.en.html': '<a href="{{link \'/notes\' token=token}}">' }, values, { token: 'a&"=b' });

  expect(read.text).toBe('-a;b;no note 6 December 2026 at 09:34 GMT+2 https://notes.example/notes?token=a%26%22%3Db-');
  expect(read.html).toContain('<a href="https://notes.example/notes?token=a%26%22%3Db">');
});

test('a text message has a text of its own', () => {
  const { note } = define({ 'note.en.sms': '{{name}} & co' }, ['SMS']);

  expect(renderSms(note.sources, { params: sample, publicUrl: '' })).toBe('Ann & co');
});

test('a variable that is not given is an error, not an empty place', () => {
  expect(() => render({ 'note.en.text': '{{note}}' }, {})).toThrow('"note" not defined');
});

test('helpers that others register do not exist in a template', () => {
  Handlebars.registerHelper('name', () => 'reached');
  try {
    expect(render({}, {}).text).toBe('-Ann-');
  } finally {
    Handlebars.unregisterHelper('name');
  }
});

test.each([
  ['an unknown variable', '{{title}}', 'title is none of its params: name, items, note, token'],
  ['raw output', '{{{name}}}', '{{{name}}} would not be escaped'],
  ['raw output by &', '{{&name}}', 'would not be escaped'],
  ['an unknown helper', '{{upper name}}', 'there is no helper upper'],
  ['lookup', "{{lookup items 'length'}}", 'there is no helper lookup'],
  ['log', '{{log name}}', 'there is no helper log'],
  ['an unknown block', '{{#with name}}{{/with}}', 'there is no block with'],
  ['a prototype', '{{name.constructor.name}}', 'name.constructor.name is not allowed'],
  ['a prototype within each', '{{#each items}}{{this.__proto__}}{{/each}}', 'not allowed'],
  ['a path upward', '{{#each items}}{{../name}}{{/each}}', '../name is not allowed'],
  ['data of the renderer', '{{@root.name}}', 'not allowed'],
  ['a partial', '{{> other}}', 'PartialStatement is not allowed'],
  ['a sub-expression', '{{date (lookup items 0)}}', 'SubExpression is not allowed'],
  ['what does not parse', '{{#if name}}', 'Parse error'],
])('a template with %s is refused when it is loaded', (_case, text, message) => {
  expect(() => define({ ...MAIL, 'note.en.text': text })).toThrow(message);
  expect(() => define({ ...MAIL, 'note.en.text': text })).toThrow('templates/note.en.text.hbs');
});

test.each([
  ['no English text', { 'note.ny.subject': 'a', 'note.ny.html': 'a', 'note.ny.text': 'a' }, 'templates/note.en.subject.hbs is missing'],
  ['half a translation', { ...MAIL, 'note.ny.subject': 'a' }, 'templates/note.ny.html.hbs is missing'],
  ['a part of another channel', { ...MAIL, 'note.en.sms': 'a' }, 'belongs to no channel'],
  ['a text of no template', { ...MAIL, 'other.en.text': 'a' }, 'holds texts of other'],
  ['a file that is none', { ...MAIL, 'note.txt': 'a' }, 'is called <name>.<locale>'],
])('a folder with %s is refused when it is loaded', (_case, files, message) => {
  expect(() => define(files as unknown as Record<string, string>)).toThrow(message);
});

test('only a layout shows something unescaped, and that is the body', () => {
  const { folder } = define({ ...MAIL, 'layout.en.html': '{{{body}}}', 'layout.en.text': '{{body}}' });
  expect(Object.keys(readLayout(folder))).toEqual(['en']);
  const { folder: other } = define({ ...MAIL, 'layout.en.html': '{{{subject}}}', 'layout.en.text': '{{body}}' });

  expect(() => readLayout(other)).toThrow('{{{subject}}} would not be escaped');
});

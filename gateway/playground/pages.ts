import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Guide, Link } from './guide.ts';

const script = (file: string): string => readFileSync(join(import.meta.dirname, file), 'utf8');

/** A constant for a script. No text in it can end the script. */
const constant = (name: string, value: unknown): string => `const ${name} = ${JSON.stringify(value).replaceAll('<', String.raw`\u003c`)};`;

const STYLE = `
#toolbar { display: flex; gap: 12px; align-items: center; height: 40px; padding: 0 12px; font: 14px system-ui, sans-serif; background: #f4f5f7; }
#toolbar select, #toolbar input, #toolbar button { font: inherit; padding: 3px 6px; }
#toolbar #session { margin-left: auto; }
#toolbar form { display: flex; gap: 6px; margin: 0; align-items: center; }
#toolbar .said { color: #a40000; }
#root { height: calc(100vh - 40px) !important; }
`;

const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

/** Stands before GraphiQL: the session, examples and sign-in. */
export const toolbar = (guide: Guide, endpoint: string): string => `<style>${STYLE}</style><script>
${constant('guide', guide)} ${constant('endpoint', endpoint)}
${script('session.js')}
${script('toolbar.js')}
</script>`;

/** The page of an e-mail link, where no web shop serves one. */
export const linkPage = (guide: Guide, link: Link, endpoint: string): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escape(link.title)}</title><meta name="viewport" content="width=device-width">
<style>body { font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto; padding: 0 1rem; }
pre { background: #f4f5f7; padding: .75rem; overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
label { display: block; margin: .5rem 0; } input, button { font: inherit; padding: .3rem .6rem; }</style></head>
<body><h1>${escape(link.title)}</h1>
<p>A web shop has a page of its own here. This one runs the operation that such a page would send.</p>
<form id="run"><button>${escape(link.title)}</button></form>
<p>Answer</p><pre id="answer">None yet.</pre>
<p>Token</p><pre id="token"></pre>
<p>Operation</p><pre id="query"></pre>
<script>
${constant('guide', { signIn: guide.signIn })} ${constant('endpoint', endpoint)} ${constant('link', link)}
${script('session.js')}
${script('link.js')}
</script></body></html>`;

import type { ReceivedEntry } from './sandbox.ts';
import { FAULTS, type Fault } from './third-party.ts';

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** What the third parties received, newest first, and a form that asks for a fault. Without script. */
export function pageOf(received: readonly ReceivedEntry[], pending: readonly (Fault & { thirdParty: string })[]): string {
  const rows = received
    .toReversed()
    .map(({ at, thirdParty, kind, summary, data }) => {
      const details =
        data === undefined ? '' : `<details><summary>data</summary><pre>${escaped(JSON.stringify(data, null, 2))}</pre></details>`;
      return `<tr><td>${at.slice(11, 19)}</td><td>${escaped(thirdParty)}</td><td>${escaped(kind)}</td><td>${escaped(summary)}${details}</td></tr>`;
    })
    .join('');
  const faults = pending.map(({ thirdParty, kind, times }) => `<li>${escaped(thirdParty)}: ${kind}, ${times} times</li>`).join('');
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sandbox</title><style>
body { font: 15px system-ui; margin: 2rem auto; max-width: 70rem; padding: 0 1rem } table { border-collapse: collapse; width: 100% }
td, th { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid #ddd } pre { white-space: pre-wrap }
</style></head><body><h1>Sandbox</h1><p>Third parties that are not real. Ask for a fault:
<code>curl -d '{"thirdParty":"google","kind":"${FAULTS.join('|')}","times":1}' http://HOST:PORT/control/faults</code></p>
<h2>Faults to come</h2><ul>${faults || '<li>none</li>'}</ul>
<h2>Received</h2><table><tr><th>Time</th><th>Third party</th><th>What</th><th></th></tr>${rows}</table></body></html>`;
}

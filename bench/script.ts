import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '..');

/** What a script of package.json starts, without npm around it: the options of Node, and the file. */
export function scriptOf(name: 'start' | 'gateway'): { options: string[]; file: string } {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<typeof name, string> };
  const words = scripts[name].split(' ');
  return { options: words.slice(words.indexOf('node') + 1, -1), file: words.at(-1)! };
}

import { createHmac } from 'node:crypto';
import { z } from 'zod';
import type { ThirdParty, ThirdPartyTools } from '../third-party.ts';

const NewLetter = z.object({ ownId: z.string().min(1), pages: z.number().int().positive(), notifyUrl: z.url().optional() });

export interface ExampleLetter {
  id: string;
  ownId: string;
  pages: number;
}

const EXAMPLE_SECRET = 'secret of the example';
export const exampleSignature = (body: string): string => createHmac('sha256', EXAMPLE_SECRET).update(body).digest('hex');

/**
 * The third party of the kit's own tests, and what a new one may begin from. It sends letters, and knows no idempotency keys: who asks twice
 * sends two. It finds letters by the id of who asked, and tells of each at `notifyUrl`.
 */
export function openExample({ record, callback }: ThirdPartyTools): ThirdParty {
  const letters: ExampleLetter[] = [];
  return {
    handle({ method, path, query, body }) {
      if (method === 'GET' && path === '/letters') return { json: letters.filter(({ ownId }) => ownId === query.get('ownId')) };
      if (method !== 'POST' || path !== '/letters') return { status: 404, json: { error: 'not found' } };
      const { ownId, pages, notifyUrl } = NewLetter.parse(JSON.parse(body));
      const letter = { id: `let_${letters.length + 1}`, ownId, pages };
      letters.push(letter);
      record({ kind: 'letter', summary: `${pages} for ${ownId}`, data: letter });
      const event = JSON.stringify({ type: 'letter.sent', ...letter });
      if (notifyUrl)
        callback({ url: notifyUrl, body: event, headers: { 'content-type': 'application/json', 'x-signature': exampleSignature(event) } });
      return { status: 201, json: letter };
    },
  };
}

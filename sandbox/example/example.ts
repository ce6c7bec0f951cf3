import { createHmac } from 'node:crypto';
import { z } from 'zod';
import type { ThirdParty, ThirdPartyTools } from '../third-party.ts';

const NewPayment = z.object({ ownId: z.string().min(1), amount: z.number().int().positive(), notifyUrl: z.url().optional() });

export interface ExamplePayment {
  id: string;
  ownId: string;
  amount: number;
}

export const EXAMPLE_SECRET = 'secret of the example';
export const exampleSignature = (body: string): string => createHmac('sha256', EXAMPLE_SECRET).update(body).digest('hex');

/**
 * The third party of the kit's own tests, and what a new one may begin from. It takes payments, and knows no idempotency keys: who sends one twice
 * has paid twice. It finds payments by the id of who sent them, and tells of each at `notifyUrl`.
 */
export function openExample({ record, callback }: ThirdPartyTools): ThirdParty {
  const payments: ExamplePayment[] = [];
  return {
    handle({ method, path, query, body }) {
      if (method === 'GET' && path === '/payments') return { json: payments.filter(({ ownId }) => ownId === query.get('ownId')) };
      if (method !== 'POST' || path !== '/payments') return { status: 404, json: { error: 'not found' } };
      const { ownId, amount, notifyUrl } = NewPayment.parse(JSON.parse(body));
      const payment = { id: `pay_${payments.length + 1}`, ownId, amount };
      payments.push(payment);
      record({ kind: 'payment', summary: `${amount} for ${ownId}`, data: payment });
      const event = JSON.stringify({ type: 'payment.made', ...payment });
      if (notifyUrl)
        callback({ url: notifyUrl, body: event, headers: { 'content-type': 'application/json', 'x-signature': exampleSignature(event) } });
      return { status: 201, json: payment };
    },
  };
}

import type { FastifyReply } from 'fastify';
import { CORRELATION_HEADER } from '#shared/base/correlation-id.ts';
import { helmetHeaders } from '../plugins/use-helmet.ts';
import { CONTRACT, KEY } from '../plugins/use-api-keys.ts';

/** What every answer carries, whoever gives it. */
export interface CommonHeaders {
  /** Adds what the answer does not say itself. */
  complete: (reply: FastifyReply) => void;
  /** Those of an answer that is written in one piece, name and value in turn: its own, then the others. */
  listOf: (reply: FastifyReply, own: readonly string[]) => string[];
}

/** Unless an answer says otherwise. */
const KEPT_BY_NOBODY = 'no-store';
/** What is kept for one viewer is not for the next one at the same browser. */
const VARY = `authorization, ${CONTRACT}, ${KEY}`;

export async function commonHeaders(): Promise<CommonHeaders> {
  const secure = Object.entries(await helmetHeaders());
  const list = secure.flat();

  return {
    complete(reply) {
      for (const [name, value] of secure) if (!reply.hasHeader(name)) reply.header(name, value);
      if (!reply.hasHeader('cache-control')) reply.header('cache-control', KEPT_BY_NOBODY);
      reply.header('vary', varyWith(reply.getHeader('vary')));
      reply.header(CORRELATION_HEADER, reply.request.id);
    },
    listOf(reply, own) {
      const { vary, ...others } = reply.getHeaders();
      const all = [...list, 'vary', varyWith(vary), CORRELATION_HEADER, reply.request.id, ...own];
      for (const [name, value] of Object.entries(others)) all.push(name, String(value));
      return all;
    },
  };
}

const varyWith = (more: number | string | string[] | undefined): string => (more === undefined ? VARY : `${VARY}, ${String(more)}`);

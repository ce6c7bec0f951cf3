import type { FastifyReply } from 'fastify';
import { CORRELATION_HEADER } from '#shared/base/correlation-id.ts';
import { helmetHeaders } from '../plugins/use-helmet.ts';
import { CONTRACT_HEADER, API_KEY_HEADER } from '../plugins/use-api-keys.ts';

/** Headers of every response. */
export interface CommonHeaders {
  /** Adds the headers that the response does not set itself. */
  complete: (reply: FastifyReply) => void;
  /** For a response written in one piece, name and value in turn: its own headers, then the common ones. */
  listOf: (reply: FastifyReply, own: readonly string[]) => string[];
}

/** Unless a response says otherwise. */
const DEFAULT_CACHE_CONTROL = 'no-store';
/** A response cached for one viewer must not reach the next one at the same browser. */
const VARY = `authorization, ${CONTRACT_HEADER}, ${API_KEY_HEADER}`;

export async function createCommonHeaders(): Promise<CommonHeaders> {
  const secure = Object.entries(await helmetHeaders());
  const list = secure.flat();

  return {
    complete(reply) {
      for (const [name, value] of secure) if (!reply.hasHeader(name)) reply.header(name, value);
      if (!reply.hasHeader('cache-control')) reply.header('cache-control', DEFAULT_CACHE_CONTROL);
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

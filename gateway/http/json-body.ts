import type { FastifyBodyParser, FastifyInstance } from 'fastify';
import { Problem } from '#shared/base/errors.ts';

/** Fastify's JSON parser, with an error of its own for a forbidden property name: Fastify reports it as invalid JSON. */
export function addJsonBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error') as FastifyBodyParser<string>;
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, text, done) =>
    parse(request, text, (error, body) => done(error && isJson(text) ? forbiddenName() : error, body)),
  );
}

const forbiddenName = (): Problem =>
  new Problem('BAD_REQUEST', 'The body must not hold the name "__proto__", nor "prototype" within "constructor".');

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

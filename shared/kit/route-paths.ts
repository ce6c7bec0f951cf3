import { notFoundHere } from './route-problems.ts';

/*
 * Paths of routes: `/files/reports/:id`, where `:id` stands for one segment, and `*` at the end for all that follow.
 */

const SEGMENT = /^(?:[\w.~-]+|:[A-Za-z]\w*)$/;

/** What is wrong with a declared path; undefined when nothing is. */
export function faultOfPath(path: string): string | undefined {
  const segments = path.split('/').slice(1);
  const isWildcard = segments.at(-1) === '*';
  if (!path.startsWith('/') || segments.length === 0) return 'must begin with a slash';
  const wrong = segments.slice(0, isWildcard ? -1 : undefined).find((segment) => !SEGMENT.test(segment));
  return wrong === undefined ? undefined : `has the segment "${wrong}", which is neither a word, nor :name, nor * at the end`;
}

/** Equal for two paths that match the same requests. */
export const shapeOfPath = (path: string): string => path.replaceAll(/:\w+/g, ':');

/** The parameters of a request to a route, decoded; `*` holds the rest. Throws NOT_FOUND when the URL does not fit. */
export function paramsOf(path: string, url: string): Record<string, string> {
  const given = pathOf(url).split('/');
  const params: Record<string, string> = {};
  for (const [index, segment] of path.split('/').entries()) {
    const value = given[index];
    if (segment === '*') return { ...params, '*': decoded(given.slice(index).join('/')) };
    if (value === undefined || value === '' ? segment !== value : !segment.startsWith(':') && segment !== value) throw notFoundHere();
    if (segment.startsWith(':')) params[segment.slice(1)] = decoded(value!);
  }
  if (given.length > path.split('/').length) throw notFoundHere();
  return params;
}

const pathOf = (url: string): string => url.split('?', 1)[0]!;

/** The parameters of the query; of one that is given twice the last. */
export const queryOf = (url: string): Record<string, string> => {
  const at = url.indexOf('?');
  return at < 0 ? {} : Object.fromEntries(new URLSearchParams(url.slice(at + 1)));
};

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw notFoundHere();
  }
}

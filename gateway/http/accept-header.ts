/** One media range of an `Accept` header. */
export interface MediaRange {
  /** As written, with its quality. */
  text: string;
  /** Lower case, like the parameter names. */
  type: string;
  parameters: ReadonlyMap<string, string>;
  /** 0: not accepted. */
  quality: number;
}

const JSON_TYPE = 'application/json';
const GRAPHQL_TYPE = 'application/graphql-response+json';

/** The accepted media ranges in header order, without those of quality 0. */
export const acceptedRanges = (accept: string | undefined): MediaRange[] =>
  (accept ?? '')
    .split(',')
    .map((text) => rangeOf(text.trim()))
    .filter(({ type, quality }) => type !== '' && quality > 0);

function rangeOf(text: string): MediaRange {
  const [type = '', ...given] = text.split(';').map((each) => each.trim());
  const parameters = new Map(
    given.map((each) => {
      const [name = '', value = ''] = each.split('=', 2).map((part) => part.trim());
      return [name.toLowerCase(), value.replaceAll('"', '')] as const;
    }),
  );
  const quality = Number(parameters.get('q') ?? 1);
  return { text, type: type.toLowerCase(), parameters, quality: Number.isNaN(quality) ? 1 : quality };
}

/**
 * The media type of a response in one piece, chosen as Apollo Server does. Clients read errors with a status other than 200 only from
 * GraphQL's media type; clients that do not name it know plain JSON only.
 */
export function responseType(accept: string | undefined): string {
  const ranges = acceptedRanges(accept);
  const graphql = ranges.find(({ type }) => type === GRAPHQL_TYPE);
  if (!graphql) return JSON_TYPE;
  const json = ranges.find(({ type }) => type === JSON_TYPE);
  if (json && json.quality === graphql.quality) return ranges.indexOf(json) < ranges.indexOf(graphql) ? JSON_TYPE : GRAPHQL_TYPE;
  const other = json ?? ranges.find(({ type }) => type === 'application/*') ?? ranges.find(({ type }) => type === '*/*');
  return other && other.quality > graphql.quality ? JSON_TYPE : GRAPHQL_TYPE;
}

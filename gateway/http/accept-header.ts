/** One thing that a header `Accept` names. */
export interface MediaRange {
  /** As it was written, quality and all. */
  text: string;
  /** In lower case, like the names of parameters. */
  type: string;
  parameters: ReadonlyMap<string, string>;
  /** 0: not accepted. */
  quality: number;
}

const JSON_TYPE = 'application/json';
const GRAPHQL_TYPE = 'application/graphql-response+json';

/** What a client accepts, in the order of the header; what it refuses by a quality of 0 is left out. */
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
 * The type of an answer in one piece, chosen as Apollo Server chooses it. Clients read errors of another status than 200 only from the media
 * type of GraphQL; to those that do not name it plain JSON is what they know.
 */
export function answerType(accept: string | undefined): string {
  const ranges = acceptedRanges(accept);
  const graphql = ranges.find(({ type }) => type === GRAPHQL_TYPE);
  if (!graphql) return JSON_TYPE;
  const json = ranges.find(({ type }) => type === JSON_TYPE);
  if (json && json.quality === graphql.quality) return ranges.indexOf(json) < ranges.indexOf(graphql) ? JSON_TYPE : GRAPHQL_TYPE;
  const other = json ?? ranges.find(({ type }) => type === 'application/*') ?? ranges.find(({ type }) => type === '*/*');
  return other && other.quality > graphql.quality ? JSON_TYPE : GRAPHQL_TYPE;
}

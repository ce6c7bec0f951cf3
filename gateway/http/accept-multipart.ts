import { acceptedRanges, type MediaRange } from './accept-header.ts';

/** The media type of incremental responses; each part names its path. */
const WRITTEN = 'multipart/mixed;deferSpec=20220824';

/**
 * The `Accept` header with incremental formats reduced to the one that is written here; undefined when the client accepts none. Otherwise
 * Apollo Server would promise any requested format and write the parts as it gets them.
 */
export function acceptMultipart(accept: string | undefined): string | undefined {
  const ranges = acceptedRanges(accept);
  const parts = ranges.filter(isWritten).map(({ quality }) => (quality < 1 ? `${WRITTEN};q=${quality}` : WRITTEN));
  if (parts.length === 0) return undefined;
  return [...parts, ...ranges.filter((range) => !isMultipart(range)).map(({ text }) => text)].join(', ');
}

const isMultipart = ({ type }: MediaRange): boolean => type === 'multipart/mixed';

/** A client that names no spec parameter reads the common format. */
function isWritten(range: MediaRange): boolean {
  if (!isMultipart(range)) return false;
  const { parameters } = range;
  return parameters.get('deferspec') === '20220824' || ![...parameters.keys()].some((name) => name.endsWith('spec'));
}

import { acceptedRanges, type MediaRange } from './accept-header.ts';

/** How answers in parts are written: each part with the path it belongs to. */
const WRITTEN = 'multipart/mixed;deferSpec=20220824';

/**
 * A header `Accept` in which answers in parts are only named in the format that is written here; undefined when the client takes none of
 * these. Apollo Server would promise a client any format that it asks for, and write the parts as it gets them.
 */
export function acceptingParts(accept: string | undefined): string | undefined {
  const ranges = acceptedRanges(accept);
  const parts = ranges.filter(isWritten).map(({ quality }) => (quality < 1 ? `${WRITTEN};q=${quality}` : WRITTEN));
  if (parts.length === 0) return undefined;
  return [...parts, ...ranges.filter((range) => !isMultipart(range)).map(({ text }) => text)].join(', ');
}

const isMultipart = ({ type }: MediaRange): boolean => type === 'multipart/mixed';

/** A client that names no format of parts reads the usual one. */
function isWritten(range: MediaRange): boolean {
  if (!isMultipart(range)) return false;
  const { parameters } = range;
  return parameters.get('deferspec') === '20220824' || ![...parameters.keys()].some((name) => name.endsWith('spec'));
}

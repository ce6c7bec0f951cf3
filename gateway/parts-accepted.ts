/** How answers in parts are written: each part with the path it belongs to. */
const WRITTEN = 'multipart/mixed;deferSpec=20220824';

const QUALITY = /^q=/i;

/**
 * A header `Accept` in which answers in parts are only named in the format that is written here; undefined when the client takes none of
 * these. Apollo Server would promise a client any format that it asks for, and write the parts as it gets them.
 */
export function acceptingParts(accept: string | undefined): string | undefined {
  const ranges = (accept ?? '').split(',').map((range) => range.trim());
  const parts = ranges.flatMap((range) => (isWritten(range) ? [withQuality(WRITTEN, range)] : []));
  if (parts.length === 0) return undefined;
  return [...parts, ...ranges.filter((range) => range !== '' && !isMultipart(range))].join(', ');
}

const isMultipart = (range: string): boolean => /^multipart\/mixed\b/i.test(range);

/** A client that names no format of parts reads the usual one. */
function isWritten(range: string): boolean {
  if (!isMultipart(range)) return false;
  const parameters = parametersOf(range).map((each) => each.toLowerCase().replaceAll('"', ''));
  if (parameters.includes('q=0')) return false;
  return parameters.includes('deferspec=20220824') || !parameters.some((each) => /^\w+spec=/.test(each));
}

function withQuality(type: string, range: string): string {
  const quality = parametersOf(range).find((each) => QUALITY.test(each));
  return quality === undefined ? type : `${type};${quality}`;
}

const parametersOf = (range: string): string[] =>
  range
    .split(';')
    .slice(1)
    .map((each) => each.replaceAll(/\s/g, ''));

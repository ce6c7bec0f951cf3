import { isDrawable, pixelsOfGif, pixelsOfPng, pixelsOfWebp } from './pixels.ts';

/** A type of file that is kept here. What can carry script (SVG, HTML, XML) is none of them. */
export interface FileType {
  extension: string;
  /** Whether the first bytes are those of this type, whatever the sender says, and claim no more pixels than a picture has. */
  fits(start: Buffer): boolean;
  /** Shown by a browser in place; all others are saved. */
  inline: boolean;
  /** Only files made here have it: clients hand in none. */
  isMadeHere?: true;
}

/** So many bytes are enough to tell the types apart. */
export const SNIFFED_BYTES = 512;

const begins =
  (...bytes: number[]) =>
  (start: Buffer): boolean =>
    bytes.every((byte, index) => start[index] === byte);

const textAt = (start: Buffer, from: number, to: number): string => start.toString('latin1', from, to);

const isPng = begins(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const isGif = (start: Buffer): boolean => /^GIF8[79]a$/.test(textAt(start, 0, 6));
const isWebp = (start: Buffer): boolean => textAt(start, 0, 4) === 'RIFF' && textAt(start, 8, 12) === 'WEBP';

const AVIF_BRANDS = new Set(['avif', 'avis']);
const MP4_BRANDS = new Set(['isom', 'iso2', 'iso4', 'iso5', 'iso6', 'mp41', 'mp42', 'avc1', 'M4V ', 'dash']);

const isBoxOf = (brands: ReadonlySet<string>) => (start: Buffer) => textAt(start, 4, 8) === 'ftyp' && brands.has(textAt(start, 8, 12));

/** Text without control characters that does not begin like markup. */
function isPlainText(start: Buffer): boolean {
  for (const byte of start) if (byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) return false;
  const text = start.toString('utf8').replace(/^\uFEFF/, '');
  return !/^\s*</.test(text);
}

export const FILE_TYPES: ReadonlyMap<string, FileType> = new Map<string, FileType>([
  ['image/jpeg', { extension: 'jpg', fits: begins(0xff, 0xd8, 0xff), inline: true }],
  ['image/png', { extension: 'png', fits: (start) => isPng(start) && isDrawable(pixelsOfPng(start)), inline: true }],
  ['image/gif', { extension: 'gif', fits: (start) => isGif(start) && isDrawable(pixelsOfGif(start)), inline: true }],
  ['image/webp', { extension: 'webp', fits: (start) => isWebp(start) && isDrawable(pixelsOfWebp(start)), inline: true }],
  ['image/avif', { extension: 'avif', fits: isBoxOf(AVIF_BRANDS), inline: true }],
  ['video/mp4', { extension: 'mp4', fits: isBoxOf(MP4_BRANDS), inline: true }],
  ['application/pdf', { extension: 'pdf', fits: begins(0x25, 0x50, 0x44, 0x46, 0x2d), inline: false }],
  [
    'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
    { extension: 'xlsx', fits: begins(0x50, 0x4b, 0x03, 0x04), inline: false, isMadeHere: true },
  ],
  ['text/csv', { extension: 'csv', fits: isPlainText, inline: false }],
]);

export const typeOfExtension = (extension: string): [contentType: string, type: FileType] | undefined =>
  [...FILE_TYPES].find(([, type]) => type.extension === extension);

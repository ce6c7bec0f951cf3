/** Pixels of a picture as its first bytes tell; undefined where they do not. */
export type Pixels = { width: number; height: number } | undefined;

/** More than any camera takes; a few kilobytes may claim millions of times as much, for whoever decodes them to hold. */
const MAX_SIDE = 30_000;
const MAX_PIXELS = 200_000_000;

export const isDrawable = (pixels: Pixels): boolean =>
  !pixels || (pixels.width <= MAX_SIDE && pixels.height <= MAX_SIDE && pixels.width * pixels.height <= MAX_PIXELS);

const textAt = (start: Buffer, from: number, to: number): string => start.toString('latin1', from, to);

/** The header IHDR stands first. */
export const pixelsOfPng = (start: Buffer): Pixels =>
  start.length >= 24 && textAt(start, 12, 16) === 'IHDR' ? { width: start.readUInt32BE(16), height: start.readUInt32BE(20) } : undefined;

export const pixelsOfGif = (start: Buffer): Pixels =>
  start.length >= 10 ? { width: start.readUInt16LE(6), height: start.readUInt16LE(8) } : undefined;

/** Lossy pictures have at most 16,383 pixels a side and need no look. */
export function pixelsOfWebp(start: Buffer): Pixels {
  if (start.length < 30) return undefined;
  const kind = textAt(start, 12, 16);
  if (kind === 'VP8X') return { width: start.readUIntLE(24, 3) + 1, height: start.readUIntLE(27, 3) + 1 };
  if (kind !== 'VP8L') return undefined;
  const bits = start.readUInt32LE(21);
  return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
}

import { createHash } from 'node:crypto';
import { crc32, deflateSync } from 'node:zlib';

const SIDE = 240;
const CELLS = 6;
const CELL = SIDE / CELLS;
const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const BITS_A_PIXEL = 2;
const PALETTE_COLOUR = 3;

/**
 * A neutral picture of some hundred bytes: a symmetric pattern in two shades of one hue. The same name gives the same bytes everywhere, and
 * `hueOf` what is alike the same hue.
 */
export function drawPicture(name: string, hueOf: string): Buffer {
  const bits = createHash('sha256').update(name).digest();
  const hue = createHash('sha256').update(hueOf).digest().readUInt16BE(0) % 360;
  const rows = Array.from({ length: CELLS }, (_row, y) => rowOf((x) => cellAt(bits, x, y)));
  const header = Buffer.alloc(13);
  header.writeUInt32BE(SIDE, 0);
  header.writeUInt32BE(SIDE, 4);
  header.set([BITS_A_PIXEL, PALETTE_COLOUR], 8);
  const palette = Buffer.from([...shade(hue, 0.93), ...shade(hue, 0.78), ...shade(hue, 0.6), 255, 255, 255]);
  const lines = rows.flatMap((row) => Array.from({ length: CELL }, () => row));
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('PLTE', palette),
    chunk('IDAT', deflateSync(Buffer.concat(lines), { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** 0, 1 or 2: the colour of a cell; the right half mirrors the left one. */
function cellAt(bits: Buffer, x: number, y: number): number {
  const column = Math.min(x, CELLS - 1 - x);
  return bits[y * (CELLS / 2) + column]! % 3;
}

/** One line of pixels, four to a byte, after the byte that says that nothing is filtered. */
function rowOf(cell: (x: number) => number): Buffer {
  const pixels = Array.from({ length: SIDE }, (_pixel, x) => cell(Math.floor(x / CELL)));
  const bytes = Array.from({ length: SIDE / 4 }, (_byte, at) =>
    pixels.slice(at * 4, at * 4 + 4).reduce((byte, pixel) => (byte << BITS_A_PIXEL) | pixel, 0),
  );
  return Buffer.from([0, ...bytes]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}

/** A colour of this hue, pale enough for text beside it. */
function shade(hue: number, lightness: number): [number, number, number] {
  const reach = 0.45 * Math.min(lightness, 1 - lightness);
  const channel = (offset: number): number => {
    const turn = (offset + hue / 30) % 12;
    return Math.round(255 * (lightness - reach * Math.max(-1, Math.min(turn - 3, 9 - turn, 1))));
  };
  return [channel(0), channel(8), channel(4)];
}

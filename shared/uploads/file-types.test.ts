import { expect, test } from '@jest/globals';
import { FILE_TYPES } from './file-types.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const number = (value: number, length: number): Buffer => {
  const buffer = Buffer.alloc(length);
  buffer.writeUIntLE(value, 0, length);
  return buffer;
};
const bigEndian = (value: number): Buffer => Buffer.from(number(value, 4)).reverse();
const PNG_START = Buffer.concat([bytes('\x89PNG\r\n\x1a\n'), bigEndian(13), bytes('IHDR')]);

const png = (width: number, height: number): Buffer => Buffer.concat([PNG_START, bigEndian(width), bigEndian(height), Buffer.alloc(9)]);
const gif = (width: number, height: number): Buffer =>
  Buffer.concat([bytes('GIF89a'), number(width, 2), number(height, 2), Buffer.alloc(9)]);
const webp = (width: number, height: number): Buffer =>
  Buffer.concat([bytes('RIFF\0\0\0\0WEBPVP8X'), Buffer.alloc(8), number(width - 1, 3), number(height - 1, 3)]);
const lossless = (width: number, height: number): Buffer =>
  Buffer.concat([bytes('RIFF\0\0\0\0WEBPVP8L'), Buffer.alloc(5), number(((width - 1) | ((height - 1) << 14)) >>> 0, 4), Buffer.alloc(9)]);

test.each<[string, string, (width: number, height: number) => Buffer, [number, number][], [number, number][]]>([
  [
    'a PNG',
    'image/png',
    png,
    [
      [1, 1],
      [12_000, 9_000],
    ],
    [
      [100_000, 100_000],
      [30_001, 1],
      [1, 4_294_967_295],
      [20_000, 20_000],
    ],
  ],
  [
    'a GIF',
    'image/gif',
    gif,
    [
      [1, 1],
      [4_000, 4_000],
    ],
    [[65_535, 65_535]],
  ],
  [
    'an extended WebP',
    'image/webp',
    webp,
    [
      [1, 1],
      [16_383, 9_000],
    ],
    [
      [16_777_216, 1],
      [16_383, 16_383],
    ],
  ],
  [
    'a lossless WebP',
    'image/webp',
    lossless,
    [
      [1, 1],
      [16_383, 9_000],
    ],
    [[16_384, 16_384]],
  ],
])('%s that claims more pixels than a picture has is refused by its first bytes', (_case, type, make, right, wrong) => {
  const { fits } = FILE_TYPES.get(type)!;

  expect(right.map(([width, height]) => fits(make(width, height)))).toEqual(right.map(() => true));
  expect(wrong.map(([width, height]) => fits(make(width, height)))).toEqual(wrong.map(() => false));
});

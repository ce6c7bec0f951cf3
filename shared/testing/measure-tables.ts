import type { FileContent } from '../files/cells.ts';
import { csv } from '../files/csv.ts';
import { xlsx } from '../files/xlsx.ts';

/* `node --expose-gc shared/testing/measure-tables.ts ROWS`: memory and time of tables with so many rows, as JSON. */

const count = Number(process.argv[2] ?? 50_000);
const FIRST = Date.parse('2026-01-01T00:00:00Z');

interface Board {
  id: string;
  name: string;
  total: { amount: number; currency: string };
  at: Date;
  code: string;
  quantity: number;
}

/** As from a cursor: each row is made when it is asked for. */
async function* boards(): AsyncGenerator<Board> {
  for (let index = 0; index < count; index += 1) {
    if (index % 100 === 0) await new Promise(setImmediate);
    const at = new Date(FIRST + index * 61_000);
    yield {
      id: `brd_${index}`,
      name: `Name & co ${index}`,
      total: { amount: index * 7, currency: 'ZMW' },
      at,
      code: `0${index}`,
      quantity: index % 9,
    };
  }
}

const columns = [
  { name: 'id', value: ({ id }: Board) => id },
  { name: 'name', value: ({ name }: Board) => name },
  { name: 'total', value: ({ total }: Board) => total },
  { name: 'at', value: ({ at }: Board) => at, timeZone: 'Africa/Lusaka' },
  { name: 'code', value: ({ code }: Board) => code },
  { name: 'quantity', value: ({ quantity }: Board) => quantity },
];

async function measure({ body }: FileContent) {
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  const begun = performance.now();
  let [bytes, most] = [0, before];
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    most = Math.max(most, process.memoryUsage().rss);
  }
  return { bytes, extraMb: Math.round((most - before) / 1e6), ms: Math.round(performance.now() - begun) };
}

const csvMeasured = await measure(csv(columns, boards()));
console.log(JSON.stringify({ csv: csvMeasured, xlsx: await measure(xlsx([{ name: 'Boards', columns, rows: boards() }])) }));

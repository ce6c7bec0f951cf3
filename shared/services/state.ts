import { join } from 'node:path';
import { readJson, writeJson } from './files.ts';
import type { Running } from './processes.ts';

/** Where a service was served last, and by which process when it was not closed in an orderly way. */
export interface Record {
  port: number;
  running?: Running | undefined;
}

type Records = Partial<{ [service: string]: Record }>;

/** What a start must know of the one before it. */
export interface State {
  get(service: string): Record | undefined;
  set(service: string, record: Record): void;
  clear(): void;
}

export function openState(dataDir: string): State {
  const file = join(dataDir, 'services.json');
  let records: Records = readJson(file) ?? {};
  const change = (next: Records) => {
    records = next;
    writeJson(file, records);
  };
  return {
    get: (service) => records[service],
    set: (service, record) => change({ ...records, [service]: record }),
    clear: () => change({}),
  };
}

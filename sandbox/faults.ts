import { z } from 'zod';
import { FAULTS, type Fault, type FaultKind } from './third-party.ts';

export const FaultRequest = z.object({
  thirdParty: z.string(),
  kind: z.enum(FAULTS),
  times: z.number().int().min(1).max(1_000).default(1),
  afterMs: z.number().int().min(0).max(600_000).optional(),
  request: z.string().default(''),
});

export type FaultRequest = z.input<typeof FaultRequest>;

const LATE_MS = 30_000;

/** The faults that were asked for and have not happened yet. */
export function createFaults() {
  const asked: (Fault & { thirdParty: string })[] = [];
  return {
    ask(request: FaultRequest): void {
      const { afterMs, ...fault } = FaultRequest.parse(request);
      asked.push({ ...fault, afterMs: afterMs ?? (fault.kind === 'late' ? LATE_MS : 0) });
    },
    take(thirdParty: string, kinds: readonly FaultKind[], request = ''): Fault | undefined {
      const found = asked.find(
        (fault) => fault.thirdParty === thirdParty && kinds.includes(fault.kind) && request.startsWith(fault.request),
      );
      if (!found) return undefined;
      found.times -= 1;
      if (found.times === 0) asked.splice(asked.indexOf(found), 1);
      return found;
    },
    pending: () => asked.map((fault) => ({ ...fault })),
    clear: () => void asked.splice(0),
  };
}

export type Faults = ReturnType<typeof createFaults>;

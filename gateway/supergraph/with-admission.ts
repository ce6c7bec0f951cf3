import type { Admission } from '#shared/base/admission.ts';
import type { Engine } from '../engine/types.ts';
import { catchAsResult } from '../engine/results.ts';

/** An engine that does so much at a time and no more, for all who ask it, however they come in. Streams are counted by their sockets. */
export const withAdmission = (engine: Engine, admission: Admission): Engine => ({
  ...engine,
  execute: (operation) => {
    const { deadline, signal, identity } = operation;
    const caller = identity.viewer?.id ?? identity.client?.ip;
    return catchAsResult(() => admission.run(() => engine.execute(operation), { deadline, signal, caller }));
  },
});

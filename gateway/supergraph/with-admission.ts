import type { Admission } from '#shared/base/admission.ts';
import type { Engine } from '../engine/types.ts';
import { catchAsResult } from '../engine/results.ts';

/** Limits how many operations run at a time, over all callers and transports. Streams are limited by their sockets. */
export const withAdmission = (engine: Engine, admission: Admission): Engine => ({
  ...engine,
  execute: (operation) => {
    const { deadline, signal, identity } = operation;
    const caller = identity.viewer?.id ?? identity.client?.ip;
    return catchAsResult(() => admission.run(() => engine.execute(operation), { deadline, signal, caller }));
  },
});

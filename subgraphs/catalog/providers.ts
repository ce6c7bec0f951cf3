import type { z } from 'zod';
import { createUploads, uploadSettings, type Uploads } from '#shared/uploads/uploads.ts';

/** The storage of files. */
export const environment = uploadSettings;

export interface Providers {
  uploads: Uploads;
}

export const providers = (given: z.output<typeof environment>): Providers => ({ uploads: createUploads(given) });

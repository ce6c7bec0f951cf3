import { createUploads, uploadSettings } from '../uploads/uploads.ts';
import { defineProvider } from './define-provider.ts';

/** Files in a folder, or in a bucket when one is named. Clients hand them in through `uploadRoutes`, or to the bucket. */
export const uploads = defineProvider('uploads', {
  settings: uploadSettings,
  open: ({ settings, now }) => createUploads(settings, { now }),
});

import type { Opened } from '#shared/providers/define-provider.ts';
import { uploads } from '#shared/providers/uploads.ts';

export const providers = { uploads };

export type Providers = Opened<typeof providers>;

import { notFound } from '#shared/base/errors.ts';
import { runStream } from '#shared/kit/run-stream.ts';
import type { Ctx } from '../loaders.ts';
import { findExport } from './export.ts';
import { findImport } from './import.ts';

async function requireFound(found: Promise<object | null>, type: string, id: string): Promise<void> {
  if (!(await found)) throw notFound(type, id, ['id']);
}

export const subscriptions = {
  productImportChanged: runStream({
    authorize: (ctx: Ctx, id) => requireFound(findImport(ctx, id), 'ProductImport', id),
    resolve: (ctx, id) => ({ productImport: findImport(ctx, id) }),
  }),
  productExportChanged: runStream({
    authorize: (ctx: Ctx, id) => requireFound(findExport(ctx, id), 'ProductExport', id),
    resolve: (ctx, id) => ({ productExport: findExport(ctx, id) }),
  }),
};

import { z } from 'zod';
import { notFound, Problem } from '#shared/base/errors.ts';
import { text } from '#shared/base/input.ts';
import { drawnOf, isBeyond } from '#shared/uploads/allowance.ts';
import { newId } from '#shared/base/ids.ts';
import type { Ctx } from '../loaders.ts';
import { sourcesOf } from '../machine.ts';
import { settings } from '../settings.ts';
import type { Application, ApplicationDocument } from '../model/application.ts';
import { documentsOf } from './checklist-of.ts';
import { requireApplication, touchApplication, wrongStatus } from './move-application.ts';

/** Uploads that were begun count as well, so that nobody fills the disk with files he never hands in. */
const MAX_DRAWN = { files: 100, bytes: 500_000_000 };
const MAX_BYTES = 10_000_000;
const TYPES = ['application/pdf', 'image/jpeg', 'image/png', 'image/webp'] as const;
/** An address is good for minutes; what came by it and was not handed in is deleted after a day. */
const UNUSED_MS = 24 * 60 * 60_000;

/** An address to send to is good for a quarter of an hour: a file removed earlier could be sent once more. */
const RESENT_MS = 20 * 60_000;

const URL_SECONDS = 10 * 60;
const MAX_REMOVED = 100;

export const CreateApplicationDocumentUpload = z.object({
  applicationId: z.string(),
  fileName: text({ min: 1, max: 200 }),
  contentType: z.enum(TYPES, `must be one of ${TYPES.join(', ')}`),
  size: z.int().min(1, 'must be at least 1').max(MAX_BYTES, `must be at most ${MAX_BYTES}`),
});

/** Where the applicant sends a file. Its key belongs to this application, so that no other can ever hand it in. */
export async function createApplicationDocumentUpload(
  ctx: Ctx,
  { applicationId, fileName, contentType, size }: z.infer<typeof CreateApplicationDocumentUpload>,
) {
  const application = await requireApplication(ctx, applicationId, { actorRole: 'APPLICANT', field: 'applicationId' });
  if (!sourcesOf('UPDATE').includes(application.status)) throw wrongStatus(application, 'applicationId');
  const begun = await ctx.models.ApplicationDocument.find({ applicationId }, { size: 1 }).lean();
  if (isBeyond(drawnOf([...begun, { size }]), MAX_DRAWN)) throw tooMany();
  const folder = `vendor-applications/${applicationId}`;
  const { key, ...address } = await ctx.providers.uploads.prepare({ folder, visibility: 'PRIVATE', contentType, size });
  const _id = newId('doc', ctx.now());
  const removeAfter = new Date(ctx.now().getTime() + UNUSED_MS);
  await ctx.models.ApplicationDocument.create([{ _id, applicationId, fileName, contentType, size, fileKey: key, removeAfter }]);
  return { upload: { id: _id, ...address } };
}

export const AddApplicationDocument = z.object({ applicationId: z.string(), uploadId: z.string(), checklistKey: z.string() });

/** Hands a file in once it has arrived whole and of its type. Runs its own transaction: the file store is asked before. */
export async function addApplicationDocument(ctx: Ctx, { applicationId, uploadId, checklistKey }: z.infer<typeof AddApplicationDocument>) {
  const application = await requireApplication(ctx, applicationId, { actorRole: 'APPLICANT', field: 'applicationId' });
  const file = await ctx.models.ApplicationDocument.findOne({ _id: uploadId, applicationId }).lean<ApplicationDocument>();
  if (!file || file.state === 'DROPPED') throw notFound('upload', uploadId, ['input', 'uploadId']);
  if (file.state === 'ATTACHED') return { application, document: file };
  const items = await ctx.loaders.checklist();
  if (!items.some(({ key, isActive }) => key === checklistKey && isActive))
    throw notFound('VendorChecklistItem', checklistKey, ['input', 'checklistKey']);
  const inspected = await ctx.providers.uploads.inspect(file.fileKey);
  if (inspected.state === 'MISSING') throw new Problem('UPLOAD_MISSING', 'The file has not arrived yet.', { path: ['input', 'uploadId'] });
  if (inspected.state === 'REFUSED') throw new Problem('UPLOAD_REFUSED', inspected.reason, { path: ['input', 'uploadId'] });
  return ctx.transaction((inner) => attach(inner, { applicationId, uploadId, checklistKey }));
}

async function attach(ctx: Ctx, { applicationId, uploadId, checklistKey }: z.infer<typeof AddApplicationDocument>) {
  const application = await touchApplication(ctx, applicationId);
  if ((await documentsOf(ctx, application)).length >= (await ctx.settings.get(settings.applicationDocuments))) throw tooMany();
  const document = await ctx.models.ApplicationDocument.findOneAndUpdate(
    { _id: uploadId, applicationId, state: { $ne: 'DROPPED' } },
    { $set: { state: 'ATTACHED', checklistKey, uploadedAt: ctx.now(), removeAfter: null } },
    { returnDocument: 'after' },
  ).lean<ApplicationDocument>();
  if (!document) throw notFound('upload', uploadId, ['input', 'uploadId']);
  return { application, document };
}

export const RemoveApplicationDocument = z.object({ applicationId: z.string(), documentId: z.string() });

/** Takes a document out. The file goes with the next round of `removeDroppedDocuments`. */
export async function removeApplicationDocument(ctx: Ctx, { applicationId, documentId }: z.infer<typeof RemoveApplicationDocument>) {
  const application = await touchApplication(ctx, applicationId);
  const { matchedCount } = await ctx.models.ApplicationDocument.updateOne(
    { _id: documentId, applicationId, state: 'ATTACHED' },
    { $set: dropped(ctx) },
  );
  if (matchedCount === 0) throw notFound('ApplicationDocument', documentId, ['input', 'documentId']);
  return { application };
}

/** An address for some minutes, which carries its right with it. */
export const documentUrl = ({ fileKey, fileName }: ApplicationDocument, { providers }: Ctx): Promise<string> =>
  providers.uploads.privateUrl(fileKey, { expiresInSeconds: URL_SECONDS, fileName });

/** Deletes files nobody handed in, or that do not count any more. The row goes last, so that a crash forgets no file. */
export async function removeDroppedDocuments(ctx: Ctx): Promise<{ removed: number }> {
  const due = await ctx.models.ApplicationDocument.find({ removeAfter: { $lte: ctx.now() }, state: { $ne: 'ATTACHED' } })
    .limit(MAX_REMOVED)
    .lean<ApplicationDocument[]>();
  for (const { _id, fileKey } of due) {
    const { matchedCount } = await ctx.models.ApplicationDocument.updateOne(
      { _id, state: { $ne: 'ATTACHED' } },
      { $set: { state: 'DROPPED' } },
    );
    // It was handed in at the last moment.
    if (matchedCount === 0) continue;
    await ctx.providers.uploads.remove(fileKey);
    await ctx.models.ApplicationDocument.deleteOne({ _id });
  }
  return { removed: due.length };
}

/** All documents of these applications stop counting: their owner is gone. */
export const dropDocumentsOf = (ctx: Ctx, applications: Pick<Application, '_id'>[]) =>
  ctx.models.ApplicationDocument.updateMany({ applicationId: { $in: applications.map(({ _id }) => _id) } }, { $set: dropped(ctx) });

const dropped = (ctx: Ctx) => ({ state: 'DROPPED' as const, removeAfter: new Date(ctx.now().getTime() + RESENT_MS) });

const tooMany = (): Problem =>
  new Problem('DOCUMENT_LIMIT', 'This application has as many documents as it may have.', { path: ['input', 'applicationId'] });

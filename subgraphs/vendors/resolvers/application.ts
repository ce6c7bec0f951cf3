import type { ListArguments } from '#shared/store/pagination.ts';
import { mutation } from '#shared/kit/mutation.ts';
import { ApplyAsVendor, applyAsVendor, SubmitVendorApplication, submitVendorApplication } from '../actions/apply.ts';
import {
  UpdateVendorApplication,
  updateVendorApplication,
  WithdrawVendorApplication,
  withdrawVendorApplication,
} from '../actions/apply.ts';
import { checklistOf, documentsOf } from '../actions/checklist-of.ts';
import {
  CreateVendorChecklistItem,
  createVendorChecklistItem,
  UpdateVendorChecklistItem,
  updateVendorChecklistItem,
} from '../actions/checklist.ts';
import {
  AddApplicationDocument,
  addApplicationDocument,
  CreateApplicationDocumentUpload,
  createApplicationDocumentUpload,
  documentUrl,
  RemoveApplicationDocument,
  removeApplicationDocument,
} from '../actions/documents.ts';
import { latestApplication, listApplications, listChecklist } from '../actions/lists.ts';
import { availableActions, findApplication } from '../actions/move-application.ts';
import {
  ApproveVendorApplication,
  approveVendorApplication,
  RejectVendorApplication,
  rejectVendorApplication,
  RequestVendorApplicationChanges,
  requestVendorApplicationChanges,
  StartVendorApplicationReview,
  startVendorApplicationReview,
} from '../actions/review.ts';
import type { Ctx } from '../loaders.ts';
import { nextStatuses } from '../machine.ts';
import type { Application, ApplicationDocument, ChecklistItem } from '../model/application.ts';

export const applicationResolvers = {
  Query: {
    vendorApplication: (_root: unknown, { id }: { id: string }, ctx: Ctx) => findApplication(ctx, id),
    myVendorApplication: (_root: unknown, _args: unknown, ctx: Ctx) => latestApplication(ctx),
    vendorApplications: (_root: unknown, args: ListArguments, ctx: Ctx) => listApplications(ctx, args),
    vendorChecklist: (_root: unknown, { includeInactive }: { includeInactive?: boolean | null }, ctx: Ctx) =>
      listChecklist(ctx, includeInactive ?? false),
  },
  Mutation: {
    applyAsVendor: mutation(ApplyAsVendor, applyAsVendor),
    updateVendorApplication: mutation(UpdateVendorApplication, updateVendorApplication),
    createApplicationDocumentUpload: mutation(CreateApplicationDocumentUpload, createApplicationDocumentUpload),
    addApplicationDocument: mutation(AddApplicationDocument, addApplicationDocument, { transaction: false }),
    removeApplicationDocument: mutation(RemoveApplicationDocument, removeApplicationDocument),
    submitVendorApplication: mutation(SubmitVendorApplication, submitVendorApplication),
    withdrawVendorApplication: mutation(WithdrawVendorApplication, withdrawVendorApplication),
    startVendorApplicationReview: mutation(StartVendorApplicationReview, startVendorApplicationReview),
    requestVendorApplicationChanges: mutation(RequestVendorApplicationChanges, requestVendorApplicationChanges),
    approveVendorApplication: mutation(ApproveVendorApplication, approveVendorApplication),
    rejectVendorApplication: mutation(RejectVendorApplication, rejectVendorApplication),
    createVendorChecklistItem: mutation(CreateVendorChecklistItem, createVendorChecklistItem),
    updateVendorChecklistItem: mutation(UpdateVendorChecklistItem, updateVendorChecklistItem),
  },
  VendorApplication: {
    __resolveReference: ({ id }: { id: string }, { loaders }: Ctx) => loaders.application.load(id),
    id: (application: Application) => application._id,
    applicant: ({ applicantId }: Application) => ({ id: applicantId }),
    nextStatuses: ({ status }: Application) => nextStatuses(status),
    availableActions: (application: Application, _args: unknown, ctx: Ctx) => availableActions(ctx, application),
    checklist: (application: Application, _args: unknown, ctx: Ctx) => checklistOf(ctx, application),
    documents: (application: Application, _args: unknown, ctx: Ctx) => documentsOf(ctx, application),
    vendor: ({ vendorId }: Application, _args: unknown, { loaders }: Ctx) => vendorId && loaders.vendor.load(vendorId),
  },
  VendorChecklistItem: {
    id: (item: ChecklistItem) => item._id,
  },
  ApplicationDocument: {
    id: (document: ApplicationDocument) => document._id,
    url: (document: ApplicationDocument, _args: unknown, ctx: Ctx) => documentUrl(document, ctx),
  },
  ApplicationTimelineEntry: {
    actor: ({ actorId }: { actorId: string | null }) => actorId && { id: actorId },
  },
};

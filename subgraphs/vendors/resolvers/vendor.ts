import type { ListArguments } from '#shared/store/pagination.ts';
import { mutation } from '#shared/kit/mutation.ts';
import { listMembers, listOwnStores, listStores } from '../actions/lists.ts';
import { UpdateVendor, updateVendor } from '../actions/profile.ts';
import { CloseVendor, closeVendor, ReinstateVendor, reinstateVendor, SuspendVendor, suspendVendor } from '../actions/state.ts';
import type { Ctx } from '../loaders.ts';
import type { Vendor } from '../model/vendor.ts';
import { isOpenAt, nextOpeningAfter } from '../opening-hours.ts';

const ownPlace = async ({ _id }: Vendor, { loaders }: Ctx) => (await loaders.memberships.all()).find(({ vendorId }) => vendorId === _id);

export const vendorResolvers = {
  Query: {
    vendor: (_root: unknown, { id }: { id: string }, { loaders }: Ctx) => loaders.vendor.load(id),
    vendorBySlug: (_root: unknown, { slug }: { slug: string }, { models }: Ctx) => models.Vendor.findOne({ slug }).lean(),
    vendors: (_root: unknown, args: ListArguments, ctx: Ctx) => listStores(ctx, args),
    myVendors: (_root: unknown, _args: unknown, ctx: Ctx) => listOwnStores(ctx),
  },
  Mutation: {
    updateVendor: mutation(UpdateVendor, updateVendor),
    suspendVendor: mutation(SuspendVendor, suspendVendor),
    reinstateVendor: mutation(ReinstateVendor, reinstateVendor),
    closeVendor: mutation(CloseVendor, closeVendor, { transaction: false }),
  },
  Vendor: {
    __resolveReference: ({ id }: { id: string }, { loaders }: Ctx) => loaders.vendor.load(id),
    id: (vendor: Vendor) => vendor._id,
    isOpenNow: (vendor: Vendor, _args: unknown, ctx: Ctx) => isOpenAt(vendor, ctx.now()),
    nextOpening: (vendor: Vendor, _args: unknown, ctx: Ctx) => nextOpeningAfter(vendor, ctx.now()),
    viewerRole: async (vendor: Vendor, _args: unknown, ctx: Ctx) => (await ownPlace(vendor, ctx))?.role ?? null,
    viewerPermissions: async (vendor: Vendor, _args: unknown, ctx: Ctx) => (await ownPlace(vendor, ctx))?.permissions ?? [],
    members: ({ _id }: Vendor, args: ListArguments, ctx: Ctx) => listMembers(ctx, _id, args),
  },
  VendorTimelineEntry: {
    actor: ({ actorId }: { actorId: string | null }) => actorId && { id: actorId },
  },
};

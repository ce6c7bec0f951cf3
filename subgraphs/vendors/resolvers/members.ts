import type { ListArguments } from '#shared/store/pagination.ts';
import { mutation } from '#shared/kit/mutation.ts';
import {
  AcceptVendorInvitation,
  acceptVendorInvitation,
  findLetter,
  InviteVendorMember,
  inviteVendorMember,
  RevokeVendorInvitation,
  revokeVendorInvitation,
} from '../actions/invitations.ts';
import { listInvitations, listMembers } from '../actions/lists.ts';
import {
  AppointVendorOwner,
  appointVendorOwner,
  ChangeVendorMemberRole,
  changeVendorMemberRole,
  LeaveVendor,
  leaveVendor,
  RemoveVendorMember,
  removeVendorMember,
  TransferVendorOwnership,
  transferVendorOwnership,
} from '../actions/members.ts';
import type { Ctx } from '../loaders.ts';
import type { Invitation, Member } from '../model/vendor.ts';
import { permissionsOf } from '../roles.ts';

type InStore = ListArguments & { vendorId: string };

export const memberResolvers = {
  Query: {
    vendorMembers: (_root: unknown, { vendorId, ...args }: InStore, ctx: Ctx) => listMembers(ctx, vendorId, args),
    vendorInvitation: (_root: unknown, { token }: { token: string }, ctx: Ctx) => findLetter(ctx, token),
    vendorInvitations: (_root: unknown, { vendorId, ...args }: InStore, ctx: Ctx) => listInvitations(ctx, vendorId, args),
  },
  Mutation: {
    inviteVendorMember: mutation(InviteVendorMember, inviteVendorMember),
    revokeVendorInvitation: mutation(RevokeVendorInvitation, revokeVendorInvitation),
    acceptVendorInvitation: mutation(AcceptVendorInvitation, acceptVendorInvitation, { transaction: false }),
    changeVendorMemberRole: mutation(ChangeVendorMemberRole, changeVendorMemberRole),
    removeVendorMember: mutation(RemoveVendorMember, removeVendorMember),
    leaveVendor: mutation(LeaveVendor, leaveVendor),
    transferVendorOwnership: mutation(TransferVendorOwnership, transferVendorOwnership),
    appointVendorOwner: mutation(AppointVendorOwner, appointVendorOwner, { transaction: false }),
  },
  User: {
    __resolveReference: ({ id }: { id: string }) => ({ id }),
    vendorMemberships: ({ id }: { id: string }, _args: unknown, { loaders }: Ctx) => loaders.membersByUser.load(id),
  },
  VendorMember: {
    __resolveReference: ({ id }: { id: string }, { loaders }: Ctx) => loaders.member.load(id),
    id: (member: Member) => member._id,
    vendor: ({ vendorId }: Member, _args: unknown, { loaders }: Ctx) => loaders.vendor.load(vendorId),
    user: ({ userId }: Member) => ({ id: userId }),
    permissions: ({ role }: Member) => permissionsOf(role),
  },
  VendorInvitation: {
    id: (invitation: Invitation) => invitation._id,
    vendor: ({ vendorId }: Invitation, _args: unknown, { loaders }: Ctx) => loaders.vendor.load(vendorId),
    status: ({ status, expiresAt }: Invitation, _args: unknown, ctx: Ctx) =>
      status === 'PENDING' && expiresAt <= ctx.now() ? 'EXPIRED' : status,
    invitedBy: ({ invitedBy }: Invitation) => ({ id: invitedBy }),
  },
};

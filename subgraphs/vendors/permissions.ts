import { allow, contextRule, hasRole, isSignedIn, objectRule, or } from '#shared/kit/permissions.ts';
import type { Ctx } from './loaders.ts';
import type { Application } from './model/application.ts';
import type { Invitation, Member, Vendor } from './model/vendor.ts';

const onlyAdmins = hasRole('admin');
const isAdmin = contextRule('isAdmin', ({ viewer }: Ctx) => viewer?.roles.includes('admin') ?? false);
const isSelf = objectRule('isSelf', ({ id }: { id: string }, _args, { viewer }: Ctx) => id === viewer?.id);
const isApplicant = objectRule('isApplicant', ({ applicantId }: Application, _args, { viewer }: Ctx) => applicantId === viewer?.id);
const worksHere = objectRule('worksHere', ({ _id }: Vendor, _args, { loaders }: Ctx) => loaders.memberships.has(_id));
const isColleague = objectRule('isColleague', async ({ vendorId, userId }: Member, _args, { viewer, loaders }: Ctx) => {
  return userId === viewer?.id || loaders.memberships.has(vendorId);
});
const managesMembers = objectRule('managesMembers', ({ vendorId }: Invitation, _args, { loaders }: Ctx) =>
  loaders.memberships.can(vendorId, 'MEMBERS'),
);

const holdsLetter = objectRule('holdsLetter', ({ isHeld }: { isHeld?: true }) => isHeld ?? false);
const insiders = or(worksHere, isAdmin);

export const permissions = {
  Query: {
    vendor: allow,
    vendorBySlug: allow,
    vendors: allow,
    myVendors: isSignedIn,
    vendorMembers: isSignedIn,
    vendorInvitation: allow,
    vendorInvitations: isSignedIn,
    vendorApplication: isSignedIn,
    myVendorApplication: isSignedIn,
    vendorApplications: isSignedIn,
    vendorChecklist: isSignedIn,
  },
  Mutation: {
    updateVendor: isSignedIn,
    suspendVendor: onlyAdmins,
    reinstateVendor: onlyAdmins,
    closeVendor: isSignedIn,
    applyAsVendor: isSignedIn,
    updateVendorApplication: isSignedIn,
    createApplicationDocumentUpload: isSignedIn,
    addApplicationDocument: isSignedIn,
    removeApplicationDocument: isSignedIn,
    submitVendorApplication: isSignedIn,
    withdrawVendorApplication: isSignedIn,
    startVendorApplicationReview: onlyAdmins,
    requestVendorApplicationChanges: onlyAdmins,
    approveVendorApplication: onlyAdmins,
    rejectVendorApplication: onlyAdmins,
    createVendorChecklistItem: onlyAdmins,
    updateVendorChecklistItem: onlyAdmins,
    inviteVendorMember: isSignedIn,
    revokeVendorInvitation: isSignedIn,
    acceptVendorInvitation: isSignedIn,
    changeVendorMemberRole: isSignedIn,
    removeVendorMember: isSignedIn,
    leaveVendor: isSignedIn,
    transferVendorOwnership: isSignedIn,
    appointVendorOwner: onlyAdmins,
  },
  Vendor: { '*': allow, stateReason: insiders, ownerContact: insiders, timeline: insiders, members: insiders },
  VendorTimelineEntry: { '*': isSignedIn },
  OwnerContact: { '*': isSignedIn },
  VendorMember: { '*': or(isColleague, isAdmin) },
  VendorInvitation: { '*': or(holdsLetter, managesMembers, isAdmin) },
  User: { '*': or(isSelf, isAdmin), id: allow },
  VendorApplication: { '*': or(isApplicant, isAdmin) },
  ApplicationDocument: { '*': isSignedIn },
  ApplicationDocumentUpload: { '*': isSignedIn },
  VendorChecklistItem: { '*': isSignedIn },
};

import type { Ctx } from './loaders.ts';
import type { User } from './model.ts';
import { forbidden, unauthenticated } from '#shared/base/errors.ts';
import { allow, hasRole, isSignedIn, objectRule } from '#shared/kit/permissions.ts';

const isAdmin = hasRole('admin');

/** The person, an admin, or who proved to be the person in this very request. */
const isSelfOrAdmin = objectRule('isSelfOrAdmin', (user: User & { isProven?: true }, _args, { viewer }: Ctx) => {
  if (user.isProven) return true;
  if (!viewer) return unauthenticated();
  return viewer.id === user._id || viewer.roles.includes('admin') || forbidden();
});

export const permissions = {
  Query: { me: allow, user: isSignedIn, users: isAdmin, sessions: isSignedIn },
  Mutation: {
    register: allow,
    requestEmailVerification: allow,
    verifyEmail: allow,
    login: allow,
    loginWithMfa: allow,
    refreshSession: allow,
    logout: allow,
    revokeSession: isSignedIn,
    revokeAllSessions: isSignedIn,
    forgotPassword: allow,
    resetPassword: allow,
    changePassword: isSignedIn,
    setUpMfa: isSignedIn,
    confirmMfa: isSignedIn,
    disableMfa: isSignedIn,
    renewRecoveryCodes: isSignedIn,
    googleAuthUrl: allow,
    googleOAuth: allow,
    updateProfile: isSignedIn,
    createAddress: isSignedIn,
    updateAddress: isSignedIn,
    deleteAddress: isSignedIn,
    setDefaultAddress: isSignedIn,
    requestEmailChange: isSignedIn,
    confirmEmailChange: isSignedIn,
    requestAccountDeletion: isSignedIn,
    deleteAccount: isSignedIn,
    setUserRoles: isAdmin,
    deactivateUser: isAdmin,
    activateUser: isAdmin,
  },
  User: { '*': isSelfOrAdmin, id: allow, displayName: allow },
};

import { connection, type ListArguments } from '#shared/store/pagination.ts';
import { mutation } from '#shared/kit/mutation.ts';
import { codeText, textKey } from '#shared/base/text.ts';
import {
  createAddress,
  CreateAddress,
  deleteAddress,
  DeleteAddress,
  setDefaultAddress,
  SetDefaultAddress,
  shownAddresses,
  updateAddress,
  UpdateAddress,
} from './actions/addresses.ts';
import { activateUser, ActivateUser, deactivateUser, DeactivateUser, setUserRoles, SetUserRoles } from './actions/admins.ts';
import { deleteAccount, DeleteAccount, requestAccountDeletion, RequestAccountDeletion } from './actions/deletion.ts';
import { confirmEmailChange, ConfirmEmailChange, requestEmailChange, RequestEmailChange } from './actions/email-change.ts';
import { googleAuthUrl, GoogleAuthUrl, googleOAuth, GoogleOAuth } from './actions/google.ts';
import { login, Login, loginWithMfa, LoginWithMfa } from './actions/login.ts';
import {
  confirmMfa,
  ConfirmMfa,
  disableMfa,
  DisableMfa,
  renewRecoveryCodes,
  RenewRecoveryCodes,
  setUpMfa,
  SetUpMfa,
} from './actions/mfa.ts';
import { changePassword, ChangePassword, forgotPassword, ForgotPassword, resetPassword, ResetPassword } from './actions/passwords.ts';
import { updateProfile, UpdateProfile } from './actions/profile.ts';
import { register, Register, requestEmailVerification, RequestEmailVerification, verifyEmail, VerifyEmail } from './actions/register.ts';
import {
  logout,
  Logout,
  refreshSession,
  RefreshSession,
  revokeAllSessions,
  RevokeAllSessions,
  revokeSession,
  RevokeSession,
} from './actions/sessions.ts';
import { deviceName } from './devices.ts';
import type { Ctx } from './loaders.ts';
import type { Session, User } from './model.ts';
import type { Proven } from './actions/sessions.ts';

/** These look at passwords and tokens, call others or end sessions, and hold a transaction only where they write. */
const ownTransactions = { transaction: false };

const USER_FIELDS = {
  id: { kind: 'id', path: '_id' },
  email: { kind: 'text', path: 'email', as: (text: string) => codeText(text).toLowerCase() },
  name: { kind: 'text', path: 'searchName', as: textKey },
  phone: 'text',
  role: { kind: 'enum', path: 'roles' },
  isActive: 'boolean',
  verified: 'boolean',
  createdAt: 'date',
} as const;

const USER_SORTS = { CREATED_AT: 'createdAt', EMAIL: 'email', NAME: 'searchName' };

export const resolvers = {
  UserRole: { CUSTOMER: 'customer', VENDOR: 'vendor', AGENT: 'agent', ADMIN: 'admin' },
  Query: {
    me: (_root: unknown, _args: unknown, { viewer, loaders }: Ctx) => viewer && loaders.user.load(viewer.id),
    user: (_root: unknown, { id }: { id: string }, { viewer, loaders }: Ctx) =>
      viewer?.id === id || viewer?.roles.includes('admin') ? loaders.user.load(id) : null,
    users: (_root: unknown, args: ListArguments, { models }: Ctx) =>
      connection(models.User, {
        ...args,
        fields: USER_FIELDS,
        sorts: USER_SORTS,
        defaultSort: { field: 'CREATED_AT', direction: 'DESC' },
        plan: args.where ? 'an admin looks for people by any conditions, rarely' : undefined,
      }),
    sessions: (_root: unknown, args: ListArguments, { models, viewer, now }: Ctx) =>
      connection(models.Session, { ...args, filter: { userId: viewer!.id, revokedAt: null, expiresAt: { $gt: now() } } }),
  },
  Mutation: {
    register: mutation(Register, register, ownTransactions),
    requestEmailVerification: mutation(RequestEmailVerification, requestEmailVerification, ownTransactions),
    verifyEmail: mutation(VerifyEmail, verifyEmail, ownTransactions),
    login: mutation(Login, login, ownTransactions),
    loginWithMfa: mutation(LoginWithMfa, loginWithMfa, ownTransactions),
    refreshSession: mutation(RefreshSession, refreshSession, ownTransactions),
    logout: mutation(Logout, logout, ownTransactions),
    revokeSession: mutation(RevokeSession, revokeSession, ownTransactions),
    revokeAllSessions: mutation(RevokeAllSessions, revokeAllSessions, ownTransactions),
    forgotPassword: mutation(ForgotPassword, forgotPassword, ownTransactions),
    resetPassword: mutation(ResetPassword, resetPassword, ownTransactions),
    changePassword: mutation(ChangePassword, changePassword, ownTransactions),
    setUpMfa: mutation(SetUpMfa, setUpMfa, ownTransactions),
    confirmMfa: mutation(ConfirmMfa, confirmMfa, ownTransactions),
    disableMfa: mutation(DisableMfa, disableMfa, ownTransactions),
    renewRecoveryCodes: mutation(RenewRecoveryCodes, renewRecoveryCodes, ownTransactions),
    googleAuthUrl: mutation(GoogleAuthUrl, googleAuthUrl, ownTransactions),
    googleOAuth: mutation(GoogleOAuth, googleOAuth, ownTransactions),
    updateProfile: mutation(UpdateProfile, updateProfile),
    createAddress: mutation(CreateAddress, createAddress),
    updateAddress: mutation(UpdateAddress, updateAddress),
    deleteAddress: mutation(DeleteAddress, deleteAddress),
    setDefaultAddress: mutation(SetDefaultAddress, setDefaultAddress),
    requestEmailChange: mutation(RequestEmailChange, requestEmailChange, ownTransactions),
    confirmEmailChange: mutation(ConfirmEmailChange, confirmEmailChange, ownTransactions),
    requestAccountDeletion: mutation(RequestAccountDeletion, requestAccountDeletion, ownTransactions),
    deleteAccount: mutation(DeleteAccount, deleteAccount, ownTransactions),
    setUserRoles: mutation(SetUserRoles, setUserRoles, { ...ownTransactions, audit: { keep: ['roles', 'scopes'] } }),
    deactivateUser: mutation(DeactivateUser, deactivateUser, { ...ownTransactions, audit: { keep: ['reason'] } }),
    activateUser: mutation(ActivateUser, activateUser),
  },
  User: {
    __resolveReference: ({ id }: { id: string }, { loaders }: Ctx) => loaders.user.load(id),
    id: (user: User) => user._id,
    displayName: ({ name }: User) => displayName(name),
    mfaEnabled: ({ mfa }: User) => Boolean(mfa.enabledAt),
    recoveryCodesLeft: ({ mfa }: User) => mfa.recoveryCodes.length,
    hasPassword: ({ passwordHash }: User) => Boolean(passwordHash),
    googleLinked: ({ googleSubject }: User) => Boolean(googleSubject),
    addresses: (user: User) => shownAddresses(user),
    defaultAddress: (user: User) => shownAddresses(user).find(({ isDefault }) => isDefault) ?? null,
  },
  Address: { id: ({ _id }: { _id: string }) => _id },
  Session: {
    id: (session: Session) => session._id,
    // Sessions are shown to their own user only, also where the request came from nobody: by login, for one.
    user: async ({ userId }: Session, _args: unknown, { loaders }: Ctx) => proven(await loaders.user.load(userId)),
    device: ({ userAgent, ip }: Session) => ({ name: deviceName(userAgent), userAgent, ip }),
    isCurrent: (session: Session & { isCurrent?: true }, _args: unknown, { viewer }: Ctx) =>
      session.isCurrent ?? viewer?.sessionId === session._id,
  },
};

const proven = (user: User | null): Proven | null => user && { ...user, isProven: true };

/** `Thandiwe N.`: enough to be recognised by, too little to be found by. */
function displayName(name: string): string {
  const [first = '', ...others] = name.split(/\s+/);
  const initial = /^./su.exec(others.at(-1) ?? '')?.[0];
  return initial ? `${first} ${initial}.` : first;
}

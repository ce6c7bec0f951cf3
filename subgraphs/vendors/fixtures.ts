import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import type { Viewer } from '#shared/base/identity.ts';
import { sendMessageJob } from '#shared/kit/send-message.ts';
import { decryptFields } from '#shared/kit/encrypted-fields.ts';
import { answering, open, viewer, type Answered, type Data, type TestApp } from '#shared/testing/open.ts';
import { openFileServer } from '#shared/testing/file-server.ts';
import { findAccounts } from '../accounts/contract.ts';
import { findUnfinishedParts } from '../orders/contract.ts';
import { takeIn } from './actions/members.ts';
import type { Ctx } from './loaders.ts';
import type { Member } from './model/vendor.ts';
import type { VendorRole } from './roles.ts';
import { subgraph } from './subgraph.ts';

export const admin = viewer('usr_admin', ['admin']);
export const stranger = viewer('usr_stranger');

interface Account {
  id: string;
  name: string;
  email: string;
  emailVerified: boolean;
  roles: string[];
  isActive: boolean;
}

export const account = (id: string, rest: Partial<Account> = {}): Account => ({
  id,
  name: id,
  email: `${id}@example.com`,
  emailVerified: true,
  roles: ['customer'],
  isActive: true,
  ...rest,
});

export const APPLY = `mutation ($input: ApplyAsVendorInput!) {
  applyAsVendor(input: $input) { application { id status version storeName slug applicant { id } } userErrors { code path } } }`;
export const INVITE = `mutation ($input: InviteVendorMemberInput!) {
  inviteVendorMember(input: $input) { invitation { id email role status expiresAt vendor { id } invitedBy { id } } userErrors { code path } } }`;
export const ACCEPT = `mutation ($input: AcceptVendorInvitationInput!) {
  acceptVendorInvitation(input: $input) { member { id role permissions user { id } vendor { id viewerRole } } userErrors { code path } } }`;
export const UPDATE = `mutation ($input: UpdateVendorInput!) { updateVendor(input: $input) {
  vendor { id name slug version description contactEmail contactPhone timeZone currency address { line1 city location { longitude latitude } }
    openingHours { day opens closes } closures { from to note } }
  userErrors { code path message ... on StaleVersionError { currentVersion } } } }`;
export const SUSPEND =
  'mutation ($input: SuspendVendorInput!) { suspendVendor(input: $input) { vendor { id state stateReason } userErrors { code path } } }';
export const REINSTATE =
  'mutation ($input: ReinstateVendorInput!) { reinstateVendor(input: $input) { vendor { id state stateReason } userErrors { code path } } }';

export const CLOSE =
  'mutation ($input: CloseVendorInput!) { closeVendor(input: $input) { vendor { id state stateReason } userErrors { code path } } }';

export const COMPLETE = {
  contactEmail: 'Mwila@Example.com',
  contactPhone: '+260 97 1234567',
  address: { line1: 'Plot 7, Cairo Road', city: 'Lusaka', country: 'ZM', location: { longitude: 28.28, latitude: -15.42 } },
  currency: 'ZMW',
  timeZone: 'Africa/Lusaka',
};

let newcomers = 0;
/** Somebody nobody knows yet. */
export const newcomer = (): Viewer => viewer(`usr_${(newcomers += 1)}`);

export const codeOf = ({ errors }: Answered): string | undefined => errors?.[0]?.extensions['code'] as string | undefined;

/** The subgraph with accounts beside it, files in a folder of its own, and short ways to what most tests begin with. */
export async function openVendors(options: { now?: Date } = {}) {
  const accounts = new Map<string, Account>();
  const busy = new Set<string>();
  const folder = await mkdtemp(join(tmpdir(), 'vendors-'));
  const files = await openFileServer({ UPLOADS_DIR: folder, UPLOADS_SECRET: 'x'.repeat(32) });
  const app = await open(subgraph, {
    ...options,
    viewer: admin,
    providers: { vendors: { uploads: files.uploads } },
    answers: [
      answering(findUnfinishedParts, ({ vendorId }) => ({ vendorOrderIds: busy.has(vendorId) ? ['vor_x'] : [] })),
      answering(findAccounts, ({ ids }) => ({
        accounts: ids.flatMap((id) => accounts.get(id) ?? (id.startsWith('usr_gone') ? [] : account(id))),
      })),
    ],
  });
  return {
    app,
    accounts,
    /** Stores with orders under way. */
    busy,
    folder,
    /** The payload of a mutation. */
    run: (mutation: string, input: object, as?: Viewer) => run(app, mutation, input, as),
    draft: (as: Viewer, storeName: string, rest: object = {}) => draft(app, as, storeName, rest),
    move: (verb: string, input: object, as?: Viewer) => move(app, verb, input, as),
    store: (owner: Viewer, name: string, rest: object = {}) => store(app, owner, name, rest),
    join: (vendor: Data, owner: Viewer, member: Viewer, role: string) => joinByLetter(app, { vendor, owner, member, role }),
    /** A member without letter and answer, for tests that begin after those. */
    seat: (vendor: Data, member: Viewer, role: VendorRole) => seat(app, vendor, member, role),
    staffed: (name: string, owner = newcomer()) => staffed(app, name, owner),
    async close() {
      await app.close();
      await files.close();
      await rm(folder, { recursive: true });
    },
  };
}

export type Vendors = Awaited<ReturnType<typeof openVendors>>;

async function run(app: TestApp, mutation: string, input: object, as?: Viewer): Promise<Data> {
  const { data, errors } = await app.ask(mutation, { input }, as ? { as } : {});
  if (errors) throw new Error(`${errors[0]!.extensions['code']}: ${errors[0]!.message}`);
  return Object.values(data)[0];
}

async function draft(app: TestApp, as: Viewer, storeName: string, rest: object): Promise<Data> {
  const { application, userErrors } = await run(app, APPLY, { storeName, ...COMPLETE, ...rest }, as);
  expect(userErrors).toEqual([]);
  return application;
}

/** submit, withdraw, startReview, requestChanges, approve, reject. */
async function move(app: TestApp, verb: string, input: object, as?: Viewer): Promise<Data> {
  const [first = '', second = ''] = verb.split(/(?=[A-Z])/);
  const name = `${first}VendorApplication${second}`;
  const vendor = verb === 'approve' ? `vendor { id name slug currency state }` : '';
  return run(
    app,
    `mutation ($input: ${name[0]!.toUpperCase()}${name.slice(1)}Input!) { ${name}(input: $input) {
      application { id status version reviewComment availableActions nextStatuses } ${vendor}
      userErrors { code path ... on ApplicationStatusError { status nextStatuses }
        ... on ApplicationIncompleteError { missingFields missingItems } } } }`,
    input,
    as,
  );
}

async function store(app: TestApp, owner: Viewer, name: string, rest: object): Promise<Data> {
  const { id } = await draft(app, owner, name, rest);
  await move(app, 'submit', { id }, owner);
  await move(app, 'startReview', { id });
  const { vendor, userErrors } = await move(app, 'approve', { id });
  expect(userErrors).toEqual([]);
  return vendor;
}

/** The token of the letter that went out last. */
export const lastToken = async (app: TestApp): Promise<string> =>
  decryptFields(sendMessageJob, (await app.said('email')).at(-1)!.data).token;

async function joinByLetter(
  app: TestApp,
  { vendor, owner, member, role }: { vendor: Data; owner: Viewer; member: Viewer; role: string },
): Promise<Data> {
  const invited = await run(app, INVITE, { vendorId: vendor.id, email: `${member.id}@example.com`, role }, owner);
  expect(invited.userErrors).toEqual([]);
  const accepted = await run(app, ACCEPT, { token: await lastToken(app) }, member);
  expect(accepted.userErrors).toEqual([]);
  return accepted.member;
}

const seat = (app: TestApp, vendor: Data, { id: userId }: Viewer, role: VendorRole): Promise<Member> =>
  (app.context() as Ctx).transaction((ctx) => takeIn(ctx, { vendorId: vendor.id, userId, role }));

/** A store with one member of each role: the people, and the ids of their memberships. */
async function staffed(app: TestApp, name: string, owner: Viewer) {
  const vendor = await store(app, owner, name, {});
  const people: Record<string, Viewer> = { OWNER: owner };
  const own = await (app.context() as Ctx).models.Member.findOne({ vendorId: vendor.id }).lean<Member>();
  const members: Record<string, string> = { OWNER: own!._id };
  for (const role of ['MANAGER', 'CATALOG', 'FULFILMENT', 'VIEWER'] as const) {
    people[role] = viewer(`${owner.id}_${role.toLowerCase()}`);
    members[role] = (await seat(app, vendor, people[role], role))._id;
  }
  return { vendor, people, members, owner };
}

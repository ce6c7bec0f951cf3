import { z } from 'zod';
import { defineCommand } from '#shared/kit/define-command.ts';
import type { AnyContext } from '#shared/kit/context.ts';
import { forbidden, Problem, unauthenticated } from '#shared/base/errors.ts';
import { defineEvent } from '#shared/kit/define-event.ts';

const timestamp = z.iso.datetime();
const vendorId = z.string();
const tags = (event: { vendorId: string }): string[] => [`Vendor:${event.vendorId}`];
const key = (event: { vendorId: string }): string => event.vendorId;

/** The operator let a vendor in: its store is open from now on. */
export const vendorApproved = defineEvent(
  'Vendor.Approved',
  z.object({ vendorId, storeName: z.string(), ownerId: z.string(), timestamp }),
  { key },
);

/** A vendor may not sell any more, until it is reinstated. */
export const vendorSuspended = defineEvent('Vendor.Suspended', z.object({ vendorId, reason: z.string(), timestamp }), { key, tags });

export const vendorReinstated = defineEvent('Vendor.Reinstated', z.object({ vendorId, timestamp }), { key, tags });

/** A vendor gave its store up for good; it is kept for the record. */
export const vendorClosed = defineEvent('Vendor.Closed', z.object({ vendorId, timestamp }), { key, tags });

/** `changes` names the fields of the store that are different now. */
export const vendorUpdated = defineEvent('Vendor.Updated', z.object({ vendorId, changes: z.array(z.string()), timestamp }), { key, tags });

export const vendorMemberAdded = defineEvent(
  'Vendor.MemberAdded',
  z.object({ vendorId, userId: z.string(), role: z.string(), timestamp }),
  { key },
);

export const vendorMemberRemoved = defineEvent('Vendor.MemberRemoved', z.object({ vendorId, userId: z.string(), timestamp }), { key });

export const vendorMemberRoleChanged = defineEvent(
  'Vendor.MemberRoleChanged',
  z.object({ vendorId, userId: z.string(), role: z.string(), timestamp }),
  { key },
);

/** An application stands elsewhere now; `status` is one of VendorApplicationStatus. */
export const vendorApplicationMoved = defineEvent(
  'VendorApplication.Moved',
  z.object({ applicationId: z.string(), applicantId: z.string(), status: z.string(), timestamp }),
  { key: ({ applicationId }) => applicationId },
);

export const VENDOR_STATES = ['ACTIVE', 'SUSPENDED', 'CLOSED'] as const;
export type VendorState = (typeof VENDOR_STATES)[number];

/** What a member may do. OWNER holds all of them. */
export const VENDOR_PERMISSIONS = ['STORE', 'MEMBERS', 'PRODUCTS', 'STOCK', 'ORDERS', 'MONEY'] as const;
export type VendorPermission = (typeof VENDOR_PERMISSIONS)[number];

const Membership = z.object({
  vendorId,
  role: z.string(),
  permissions: z.array(z.enum(VENDOR_PERMISSIONS)),
  /** In a store that is not active members read, and change nothing. */
  state: z.enum(VENDOR_STATES),
});

/** The stores a user belongs to and what the user may do in each, as of now. */
export const findMemberships = defineCommand('vendors', 'findMemberships', {
  input: z.object({ userId: z.string() }),
  output: z.object({ memberships: z.array(Membership) }),
});

const VendorCopy = z.object({ id: vendorId, name: z.string(), slug: z.string(), state: z.enum(VENDOR_STATES), currency: z.string() });

/** The vendors that exist among these ids, in any order. At most 100. */
export const findVendors = defineCommand('vendors', 'findVendors', {
  input: z.object({ ids: z.array(vendorId).max(100) }),
  output: z.object({ vendors: z.array(VendorCopy) }),
});

/** What the viewer may do in which store: asked once a request, as of now, so that a member who was removed has no rights left. Put it into `loaders`. */
export function createMemberships(ctx: Pick<AnyContext, 'viewer' | 'call'>) {
  let asked: Promise<z.infer<typeof Membership>[]> | undefined;
  const all = async (): Promise<z.infer<typeof Membership>[]> => {
    if (!ctx.viewer) return [];
    asked ??= ctx.call(findMemberships, { userId: ctx.viewer.id }).then(({ memberships }) => memberships);
    return asked;
  };
  const of = async (vendor: string) => (await all()).find(({ vendorId: id }) => id === vendor);
  const can = async (vendor: string, permission: VendorPermission): Promise<boolean> =>
    (await of(vendor))?.permissions.includes(permission) ?? false;
  const requireReader = async (vendor: string, permission: VendorPermission): Promise<void> => {
    if (!ctx.viewer) throw unauthenticated();
    if (!(await can(vendor, permission))) throw forbidden();
  };

  return {
    all,
    /** Whether the viewer may see what this permission is about. Who changes something asks `require`. */
    can,
    /** Member of any role. */
    has: async (vendor: string): Promise<boolean> => (await of(vendor)) !== undefined,
    /** For what is only read. Throws UNAUTHENTICATED or FORBIDDEN. */
    requireReader,
    /** For every change. Throws UNAUTHENTICATED, FORBIDDEN, VENDOR_SUSPENDED or VENDOR_CLOSED. */
    async require(vendor: string, permission: VendorPermission): Promise<void> {
      await requireReader(vendor, permission);
      refuseInactive((await of(vendor))!.state);
    },
  };
}

/** Nobody changes anything of a store that may not sell. */
export function refuseInactive(state: VendorState, path: readonly string[] = ['input']): void {
  if (state === 'SUSPENDED') throw new Problem('VENDOR_SUSPENDED', 'The store is suspended: ask the operator.', { path });
  if (state === 'CLOSED') throw new Problem('VENDOR_CLOSED', 'The store was closed for good.', { path });
}

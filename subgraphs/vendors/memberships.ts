import type { VendorPermission, VendorState } from './contract.ts';
import type { Models } from './model.ts';
import { permissionsOf } from './roles.ts';

interface Rights {
  memberships: { vendorId: string; role: string; permissions: VendorPermission[]; state: VendorState }[];
}

/** Asked in most requests of vendors, by every subgraph: two finds by index, the second one for members only. */
export async function readMemberships({ Member, Vendor }: Pick<Models, 'Member' | 'Vendor'>, userId: string): Promise<Rights> {
  const found = await Member.find({ userId }, { _id: 0, vendorId: 1, role: 1 }).lean();
  if (found.length === 0) return { memberships: [] };
  const stores = await Vendor.find({ _id: { $in: found.map(({ vendorId }) => vendorId) } }, { state: 1 }).lean();
  const states = new Map(stores.map(({ _id, state }) => [_id, state]));
  return {
    memberships: found.map(({ vendorId, role }) => ({
      vendorId,
      role,
      permissions: permissionsOf(role),
      state: states.get(vendorId) ?? 'CLOSED',
    })),
  };
}

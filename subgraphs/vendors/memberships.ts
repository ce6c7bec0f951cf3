import type { VendorPermission } from './contract.ts';
import type { Models } from './model.ts';
import { permissionsOf } from './roles.ts';

interface Rights {
  memberships: { vendorId: string; role: string; permissions: VendorPermission[] }[];
}

/** Asked in most requests of vendors, by every subgraph: one find that the index answers alone. */
export async function readMemberships({ Member: members }: Pick<Models, 'Member'>, userId: string): Promise<Rights> {
  const found = await members.find({ userId }, { _id: 0, vendorId: 1, role: 1 }).lean();
  return { memberships: found.map(({ vendorId, role }) => ({ vendorId, role, permissions: permissionsOf(role) })) };
}

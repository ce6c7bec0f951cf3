import { VENDOR_PERMISSIONS, type VendorPermission } from './contract.ts';

export const VENDOR_ROLES = ['OWNER', 'MANAGER', 'CATALOG', 'FULFILMENT', 'VIEWER'] as const;
export type VendorRole = (typeof VENDOR_ROLES)[number];

const PERMISSIONS: Record<VendorRole, readonly VendorPermission[]> = {
  OWNER: VENDOR_PERMISSIONS,
  MANAGER: ['STORE', 'MEMBERS', 'PRODUCTS', 'STOCK', 'ORDERS'],
  CATALOG: ['PRODUCTS', 'STOCK'],
  FULFILMENT: ['STOCK', 'ORDERS'],
  VIEWER: [],
};

/** Who stands above whom: a member manages those below, so that nobody raises himself or an equal. */
const RANK: Record<VendorRole, number> = { OWNER: 3, MANAGER: 2, CATALOG: 1, FULFILMENT: 1, VIEWER: 0 };

export const permissionsOf = (role: VendorRole): VendorPermission[] => [...PERMISSIONS[role]];

/** True when a member of `role` may give, change and take away `other`. Owners stand above everybody, other owners included. */
export const manages = (role: VendorRole, other: VendorRole): boolean =>
  role === 'OWNER' || (PERMISSIONS[role].includes('MEMBERS') && RANK[role] > RANK[other]);

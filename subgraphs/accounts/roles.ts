/** As tokens and rules spell them; the schema shows them in capitals. */
export const ROLES = ['customer', 'vendor', 'agent', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** The role that opens most. */
export const foremost = (roles: readonly string[]): Role => ROLES.findLast((role) => roles.includes(role)) ?? 'customer';

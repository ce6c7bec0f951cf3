/** The change that ends a pending invitation. Its unique key is free for the next invitation to the same address. */
export const closed = (status: 'ACCEPTED' | 'REVOKED') => ({ $set: { status }, $unset: { openKey: 1 } });

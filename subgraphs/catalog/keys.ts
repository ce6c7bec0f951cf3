/** A name that is unique within its vendor, as it is stored: one text, so that every store can hold it unique and look it up. */
export const keyOf = (vendorId: string, name: string): string => `${vendorId}/${name}`;

/** What an attribute's values are. */
export const ATTRIBUTE_TYPES = ['TEXT', 'NUMBER', 'BOOLEAN', 'SELECT', 'MULTISELECT', 'COLOUR'] as const;
export type AttributeType = (typeof ATTRIBUTE_TYPES)[number];
/** Types whose values are one (or some) of the attribute's options. */
export const OPTION_TYPES: readonly AttributeType[] = ['SELECT', 'MULTISELECT', 'COLOUR'];

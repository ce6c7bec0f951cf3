/** The id of the row of a setting's value, or of a flag's rules, in one scope. */
export const valueId = (of: string, scope: string): string => `${of} ${scope}`;

/** Equal variants become one line; the first mention decides the order. */
export function merge(lines: readonly { variantId: string; quantity: number }[]): Map<string, number> {
  const merged = new Map<string, number>();
  for (const { variantId, quantity } of lines) merged.set(variantId, (merged.get(variantId) ?? 0) + quantity);
  return merged;
}

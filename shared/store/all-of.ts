type Filter = Readonly<Record<string, unknown>>;

/**
 * One filter for rows that meet all of these. Conditions on different fields become fields of one object, without `$and`: the store from PyPI
 * reads a whole collection for a `$and` or `$or` at the top of a filter, whatever its indexes are.
 */
export function allOf(filters: readonly Filter[]): Record<string, unknown> {
  const merged: Record<string, unknown> = {};
  const others: Filter[] = [];
  for (const [name, condition] of filters.flatMap(conditionsOf)) {
    if (name in merged) others.push({ [name]: condition });
    else merged[name] = condition;
  }
  return others.length > 0 ? { ...merged, $and: others } : merged;
}

const conditionsOf = (filter: Filter): [string, unknown][] =>
  Object.entries(filter).flatMap(([name, condition]): [string, unknown][] =>
    name === '$and' ? (condition as Filter[]).flatMap(conditionsOf) : [[name, condition]],
  );

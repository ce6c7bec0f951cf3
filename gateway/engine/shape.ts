import {
  isAbstractType,
  isEnumType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
  type GraphQLEnumType,
  type GraphQLInterfaceType,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  type SelectionSetNode,
} from 'graphql';
import { createFields, type FieldPlan, type Selected } from './fields.ts';
import { ownValue, unknownTo, setOwn, type Data } from './run.ts';

/** A value that the schema does not allow at its place. */
export interface Violation {
  path: (string | number)[];
  /** `Type.field` */
  coordinate: string;
  /** For an unresolved reference, or a missing field of one: the subgraphs that do not know the object. */
  unknownTo?: readonly string[] | undefined;
}

/**
 * Completes a value. `undefined` means that it is invalid here, and the next nullable value above becomes null. A violation starts without
 * a path; its callers prepend their keys, so that no path is tracked while all is well.
 */
type Complete = (value: unknown, found: Violation[]) => unknown;

type Composite = GraphQLObjectType | GraphQLInterfaceType;

/** `undefined` data: not even the root is valid. */
export type Shape = (data: Data) => { data: Data | undefined; violations: Violation[] };

export interface ShapeOptions {
  schema: GraphQLSchema;
  /** Type of the shaped object. If it is abstract, `__typename` decides. */
  type: GraphQLNamedType;
  sets: readonly SelectionSetNode[];
  selected: Selected;
}

/**
 * Shapes merged subgraph responses for the client: the selected fields in order, under the client's keys, and nothing else. An invalid null
 * nulls its parent, as the specification says.
 */
export function compileShape({ schema, type, sets, selected }: ShapeOptions): Shape {
  const complete = createCompletions(schema, selected)(type, sets);
  return (data) => {
    const violations: Violation[] = [];
    return { data: complete(data, violations) as Data | undefined, violations };
  };
}

function createCompletions(schema: GraphQLSchema, selected: Selected) {
  const fieldsOf = createFields(schema, selected);

  function composite(type: GraphQLNamedType, sets: readonly SelectionSetNode[]): Complete {
    const known = new Map<string, readonly CompiledField[]>();
    const fieldsFor = (concrete: Composite): readonly CompiledField[] => {
      let fields = known.get(concrete.name);
      if (!fields) known.set(concrete.name, (fields = fieldsOf(concrete, sets).map((field) => compileField(field, concrete))));
      return fields;
    };
    const concreteOf = isAbstractType(type) ? concreteTypes(schema, type) : () => type as GraphQLObjectType;
    return (value, found) => {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return violate(found);
      const concrete = concreteOf(value as Data);
      return concrete ? shapeFields(value as Data, fieldsFor(concrete), found) : violate(found);
    };
  }

  function compileField(field: FieldPlan, parent: Composite): CompiledField {
    const { type, sets } = field;
    const coordinate = `${parent.name}.${field.name}`;
    if (type !== undefined) return { ...field, coordinate, constant: undefined, complete: completeOf(type, sets) };
    const isTypename = field.name === '__typename';
    const constant = isTypename && isObjectType(parent) ? parent.name : undefined;
    return { ...field, coordinate, constant, complete: isTypename ? violateAlways : asItIs };
  }

  function completeOf(type: GraphQLOutputType, sets: readonly SelectionSetNode[]): Complete {
    if (isNonNullType(type)) {
      const inner = present(type.ofType, sets);
      return (value, found) => {
        const completed = value === null || value === undefined ? null : inner(value, found);
        return completed === null ? violate(found, unknownTo(value)) : completed;
      };
    }
    const inner = present(type, sets);
    return (value, found) => (value === null || value === undefined ? null : (inner(value, found) ?? null));
  }

  function present(type: GraphQLOutputType, sets: readonly SelectionSetNode[]): Complete {
    if (isListType(type)) return list(completeOf(type.ofType as GraphQLOutputType, sets));
    if (isObjectType(type) || isAbstractType(type)) return reference(composite(type, sets));
    return isEnumType(type) ? enumValue(type) : (BUILT_IN[(type as GraphQLNamedType).name] ?? asItIs);
  }

  return composite;
}

/**
 * A reference that no subgraph can resolve becomes null without an error. Exception: if only an interface is known, selecting `__typename`
 * reports an error.
 */
function reference(complete: Complete): Complete {
  return (value, found) => {
    const before = found.length;
    const shaped = complete(value, found);
    if (shaped !== undefined || !unknownTo(value) || found.slice(before).some(isAboutType)) return shaped;
    found.length = before;
    return null;
  };
}

const isAboutType = ({ coordinate }: Violation): boolean => coordinate.endsWith('.__typename');

interface CompiledField extends FieldPlan {
  coordinate: string;
  /** Value of `__typename` where the type is known. */
  constant: string | undefined;
  complete: Complete;
}

function shapeFields(data: Data, fields: readonly CompiledField[], found: Violation[]): Data | undefined {
  const shaped: Data = {};
  for (const { key, source, inherited, coordinate, constant, complete } of fields) {
    const before = found.length;
    const value = constant ?? complete(inherited ? ownValue(data, source) : data[source], found);
    if (found.length > before) locate(found, before, key, coordinate);
    if (value === undefined) return incomplete(data, found, before);
    if (inherited) setOwn(shaped, key, value);
    else shaped[key] = value;
  }
  return shaped;
}

/** Fields are missing because a subgraph does not know the object. */
function incomplete(data: Data, found: readonly Violation[], since: number): undefined {
  const subgraphs = unknownTo(data);
  if (subgraphs) for (const violation of found.slice(since)) if (violation.path.length === 1) violation.unknownTo ??= subgraphs;
  return undefined;
}

function list(complete: Complete): Complete {
  return (value, found) => {
    if (!Array.isArray(value)) return violate(found);
    const shaped: unknown[] = [];
    for (let index = 0; index < value.length; index += 1) {
      const before = found.length;
      const entry = complete(value[index], found);
      if (found.length > before) locate(found, before, index, '');
      if (entry === undefined) return undefined;
      shaped.push(entry);
    }
    return shaped;
  };
}

function violate(found: Violation[], subgraphs?: readonly string[]): undefined {
  found.push({ path: [], coordinate: '', unknownTo: subgraphs });
  return undefined;
}

/** Prepends a key to the violations found since then. The innermost field is the coordinate of a violation. */
function locate(found: Violation[], since: number, key: string | number, coordinate: string): void {
  for (const violation of found.slice(since)) {
    violation.path.unshift(key);
    violation.coordinate ||= coordinate;
  }
}

/** The concrete type of an abstract value. If a subgraph knows only an interface, the type stays that interface. */
function concreteTypes(schema: GraphQLSchema, abstract: GraphQLNamedType): (data: Data) => Composite | undefined {
  return (data) => {
    const name = data['__typename'];
    if (name === undefined || name === null) return isInterfaceType(abstract) ? abstract : undefined;
    const type = typeof name === 'string' ? schema.getType(name) : undefined;
    return isObjectType(type) || isInterfaceType(type) ? type : undefined;
  };
}

/** An object of which only the interface is known has no `__typename`. */
const violateAlways: Complete = (_value, found) => violate(found);

const asItIs: Complete = (value) => value;

const leaf =
  (isValid: (value: unknown) => boolean): Complete =>
  (value, found) =>
    isValid(value) ? value : violate(found);

const enumValue = (type: GraphQLEnumType): Complete => leaf((value) => typeof value === 'string' && type.getValue(value) !== undefined);

/** A 32-bit integer equals itself after a bit operation. */
const isInt = (value: unknown): boolean => typeof value === 'number' && (value | 0) === value;

/** As graphql-js serialises these. Other scalars are up to their subgraphs. */
const BUILT_IN: Readonly<Record<string, Complete>> = {
  String: leaf((value) => typeof value === 'string'),
  Boolean: leaf((value) => typeof value === 'boolean'),
  Int: leaf(isInt),
  Float: leaf((value) => Number.isFinite(value)),
  ID: (value, found) => (typeof value === 'string' ? value : Number.isInteger(value) ? String(value) : violate(found)),
};

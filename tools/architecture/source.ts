import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSync, Visitor } from 'oxc-parser';

/** A file as the rules of the house look at it. */
export interface Source {
  /** From the root of the project, with slashes. */
  file: string;
  text: string;
}

export interface Import {
  specifier: string;
  /** True when nothing of it is left at run time. */
  typeOnly: boolean;
}

export interface Exports {
  imports: Import[];
  exportsDefault: boolean;
}

/** All files below these folders whose name ends in one of `endings`, in the order of their names; folders that are missing hold none. */
export function readSources(root: string, folders: readonly string[], endings: readonly string[] = ['.ts']): Source[] {
  return folders
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && endings.some((ending) => entry.name.endsWith(ending)))
        .map(({ parentPath, name }) =>
          join(parentPath, name)
            .slice(root.length + 1)
            .replaceAll('\\', '/'),
        )
        .filter((file) => !file.includes('node_modules/'))
        .sort(),
    )
    .map((file) => ({ file, text: readFileSync(join(root, file), 'utf8') }));
}

/** The syntax tree. Throws when the file is no TypeScript: a file that cannot be read cannot be judged. */
export function parse({ file, text }: Source) {
  const parsed = parseSync(file, text);
  const [fault] = parsed.errors;
  if (fault) throw new Error(`${file} cannot be parsed: ${fault.message}`);
  return parsed;
}

/** Everything a file imports by a literal name: static, re-exported, dynamic, by `require` and in types. */
export function readImports(source: Source): Exports {
  const { module, program } = parse(source);
  const imports: Import[] = [];
  const add = (specifier: string, typeOnly: boolean): void => void imports.push({ specifier, typeOnly });

  for (const { moduleRequest, entries } of module.staticImports) {
    add(moduleRequest.value, entries.length > 0 && entries.every(({ isType }) => isType));
  }
  const exported = module.staticExports.flatMap(({ entries }) => entries);
  for (const { moduleRequest, isType } of exported) if (moduleRequest) add(moduleRequest.value, isType);

  new Visitor({
    ImportExpression: ({ source: specifier }) => {
      if (specifier.type === 'Literal' && typeof specifier.value === 'string') add(specifier.value, false);
    },
    TSImportType: ({ source: specifier }) => add(specifier.value, true),
    CallExpression: ({ callee, arguments: [first] }) => {
      const isRequire = callee.type === 'Identifier' && callee.name === 'require';
      if (isRequire && first?.type === 'Literal' && typeof first.value === 'string') add(first.value, false);
    },
  }).visit(program);

  return { imports, exportsDefault: exported.some(({ exportName }) => exportName.name === 'default' || isDefault(exportName.kind)) };
}

const isDefault = (kind: string): boolean => kind === 'Default';

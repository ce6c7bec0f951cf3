import { posix } from 'node:path';
import { readImports, type Import, type Source } from './source.ts';

/** What the files of one role may import besides `shared/`. Types of the own folder are free, except for a contract. */
interface FileRole {
  /** Roles of the own folder that may be imported at run time. `helper` is every file that has no other role. */
  own: readonly string[];
  /** Whether the contracts of other subgraphs may be imported at run time. */
  contracts: boolean;
  /** Files of `shared/` that may be imported at run time; all when left out. */
  shared?: readonly string[];
  /** Packages that may be imported; all when left out. */
  only?: readonly string[];
  /** Packages that may not be imported, not even for their types. */
  never: readonly string[];
}

const NO_QUEUES = ['bullmq'];
const NO_TRANSPORT = ['graphql', 'bullmq'];

/** Who may import whom, within a subgraph. The role of a file is its name, or that of the folder it stands in. */
const FILE_ROLES: Record<string, FileRole> = {
  contract: {
    own: [],
    contracts: false,
    shared: [
      'kit/define-command',
      'kit/define-event',
      'kit/define-flags',
      'kit/define-job',
      'kit/define-settings',
      'kit/settings-commands',
      'settings/change-tags',
      'base/errors',
    ],
    only: ['zod'],
    never: [],
  },
  model: { own: ['contract', 'helper'], contracts: false, never: NO_TRANSPORT },
  loaders: { own: ['model', 'contract', 'helper'], contracts: true, never: NO_TRANSPORT },
  actions: { own: ['contract', 'helper'], contracts: true, never: NO_TRANSPORT },
  resolvers: { own: ['actions', 'contract', 'helper'], contracts: false, never: NO_QUEUES },
  handlers: { own: ['actions', 'contract', 'helper'], contracts: true, never: NO_TRANSPORT },
  routes: { own: ['actions', 'permissions', 'contract', 'helper'], contracts: false, never: NO_TRANSPORT },
  migrations: { own: ['model', 'contract', 'helper'], contracts: false, never: NO_TRANSPORT },
  permissions: { own: ['contract', 'helper'], contracts: false, shared: ['kit/permissions', 'base/errors'], only: [], never: [] },
  subgraph: {
    own: ['model', 'loaders', 'actions', 'resolvers', 'handlers', 'migrations', 'permissions', 'routes', 'contract', 'helper'],
    contracts: false,
    never: NO_TRANSPORT,
  },
  helper: { own: ['contract', 'model', 'loaders', 'actions', 'helper'], contracts: true, never: NO_TRANSPORT },
};

/** Folders outside the subgraphs, and the folders they may import. Those that are not listed may import anything. */
const FOLDERS: Record<string, readonly string[]> = {
  shared: ['shared'],
  gateway: ['gateway', 'shared', 'schema'],
  schema: ['schema', 'shared', 'tools'],
  tools: ['tools'],
  sandbox: ['sandbox', 'shared'],
};

/** What the sandbox may use of `shared/`: it stands for others, and must not pass or fail with our code. */
const SANDBOX_SHARED = 'shared/base/';

/** What a subgraph may use of `shared/`; its manifest also serves itself with `SERVE_PROCESS`. */
const KIT = ['base', 'store', 'cache', 'live', 'uploads', 'settings', 'limits', 'providers', 'templates', 'files', 'kit'];
const SERVE_PROCESS = 'shared/process/serve-process.ts';

/**
 * Folders within a folder, lowest first: a file imports its own folder and those of lower rows only, in `gateway/` at run time. '' stands for
 * files beside the folders.
 */
const LAYERS: Record<string, readonly (readonly string[])[]> = {
  shared: [
    ['base'],
    ['services', 'graph-contracts'],
    ['store', 'cache', 'live', 'uploads'],
    ['settings', 'templates', 'files'],
    ['limits', 'providers'],
    ['kit'],
    ['messaging', 'sagas', 'audit'],
    ['jobs'],
    ['runtime'],
    ['transport'],
    ['process'],
    ['testing'],
  ],
  gateway: [
    ['graphql'],
    ['engine'],
    ['engine/planning', 'authorization', 'cost', 'dedupe'],
    ['apollo'],
    ['cache', 'playground'],
    ['plugins'],
    ['http', 'supergraph'],
    ['live'],
    [''],
  ],
};

/** The files that jest finds by their default export. */
const JEST_FILES = ['shared/testing/global-setup.ts', 'shared/testing/global-teardown.ts', 'shared/testing/closing-line.ts'];

/** Each import that the house does not allow, as `file: what is wrong`. Empty when all is well. */
export function forbiddenImports(sources: readonly Source[]): string[] {
  return sources.flatMap((source) => {
    const { file } = source;
    const { imports, exportsDefault } = readImports(source);
    const faults = imports.flatMap((each) => faultOf(file, each) ?? []);
    if (exportsDefault && !JEST_FILES.includes(file)) faults.push('exports a default; give it a name');
    return [...new Set(faults)].map((fault) => `${file}: ${fault}`);
  });
}

/** Tests, and what stands beside them for several of them. What `shared/testing` offers to all is part of the kit. */
const isTest = (file: string): boolean => /\.test\.ts$|\/(fixtures|testing|test-[a-z-]+)\.ts$|^(?!shared\/).*\/testing\//.test(file);
export const isForTests = (file: string): boolean => isTest(file) || file.includes('/testing/');

function faultOf(file: string, imported: Import): string | undefined {
  const { specifier } = imported;
  const isRelative = specifier.startsWith('.') || specifier.startsWith('#shared/');
  if (isRelative && !/\.(ts|mjs|json)$/.test(specifier)) return `imports ${specifier} without its ending`;
  if (isTest(file)) return undefined;
  const target = isRelative ? targetOf(file, specifier) : undefined;
  const [top = '', name = ''] = file.split('/');
  if (top === 'subgraphs') return target === undefined ? faultOfPackage(file, imported) : faultInSubgraph(file, name, target, imported);
  if (target === undefined) return undefined;
  const allowed = FOLDERS[top];
  if (allowed && !allowed.includes(target.split('/')[0] ?? '')) return `imports ${target}; ${top}/ may import ${allowed.join(', ')} only`;
  if (top === 'sandbox' && target.startsWith('shared/') && !target.startsWith(SANDBOX_SHARED))
    return `imports ${target}; sandbox/ may import ${SANDBOX_SHARED} of shared/ only`;
  if (allowed && !isForTests(file) && isForTests(target)) return `imports ${target}, which is for tests`;
  return isForTests(file) ? undefined : faultOfLayers(top, file, target, imported);
}

/** The layer of a file, and its folder; undefined for files that have none. */
function layerOf(top: string, file: string): { row: number; folder: string } | undefined {
  const parts = file.split('/').slice(1, -1);
  for (let depth = parts.length; depth >= 0; depth -= 1) {
    const folder = parts.slice(0, depth).join('/');
    const row = LAYERS[top]!.findIndex((folders) => folders.includes(folder));
    if (row >= 0) return { row, folder };
  }
  return undefined;
}

function faultOfLayers(top: string, file: string, target: string, { typeOnly }: Import): string | undefined {
  if (!(top in LAYERS) || target.split('/')[0] !== top || (typeOnly && top === 'gateway')) return undefined;
  const own = layerOf(top, file);
  const other = layerOf(top, target);
  if (!own) return `stands in no folder of ${top}/ that has a layer`;
  return !other || own.folder === other.folder || other.row < own.row
    ? undefined
    : `imports ${target}; ${top}/${own.folder} may import lower layers only`;
}

/** The file of this project that an import names. */
const targetOf = (file: string, specifier: string): string =>
  specifier.startsWith('#') ? specifier.slice(1) : posix.join(posix.dirname(file), specifier);

function roleOf(file: string): string {
  const [first = ''] = file.split('/').slice(2);
  const role = first.replace(/\.ts$/, '');
  return role in FILE_ROLES ? role : 'helper';
}

function faultOfPackage(file: string, { specifier, typeOnly }: Import): string | undefined {
  const role = roleOf(file);
  const { only, never } = FILE_ROLES[role]!;
  const name = specifier.startsWith('@') ? specifier.split('/', 2).join('/') : (specifier.split('/')[0] ?? specifier);
  if (never.includes(name)) return `imports ${name}; ${role} never does`;
  if (only && !only.includes(name) && !typeOnly) return `imports ${name}; ${role} may import ${only.join(', ') || 'no package'} only`;
  return undefined;
}

function faultInSubgraph(file: string, subgraph: string, target: string, { typeOnly }: Import): string | undefined {
  const role = roleOf(file);
  const { own, contracts, shared } = FILE_ROLES[role]!;
  const [top = '', owner = ''] = target.split('/');
  if (isForTests(target)) return `imports ${target}, which is for tests`;
  if (top === 'shared') {
    const name = target.slice('shared/'.length).replace(/\.ts$/, '');
    if (!KIT.includes(name.split('/')[0]!) && !(role === 'subgraph' && target === SERVE_PROCESS))
      return `imports ${target}; a subgraph may import ${KIT.join(', ')} of shared/ only`;
    return typeOnly || !shared || shared.includes(name)
      ? undefined
      : `imports ${target}; ${role} may import ${shared.join(', ')} of shared/ only`;
  }
  if (top !== 'subgraphs') return `imports ${target}; a subgraph imports its own folder, shared/ and contracts only`;
  const targetRole = roleOf(target);
  if (owner !== subgraph) {
    if (targetRole !== 'contract') return `imports ${target}; of another subgraph only the contract may be imported`;
    return contracts || (typeOnly && role !== 'contract') ? undefined : `imports ${target}; ${role} does not talk to other subgraphs`;
  }
  if (targetRole === role || (typeOnly && role !== 'contract')) return undefined;
  return own.includes(targetRole)
    ? undefined
    : `imports ${target} at run time; ${role} may import ${own.join(', ') || 'nothing of its folder'}`;
}

import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { z } from 'zod';
import { ServeEnvironment } from '../gateway/serve-settings.ts';
import { GatewayEnvironment } from '../gateway/settings.ts';
import { AdmissionSettings } from '#shared/base/admission-settings.ts';
import { DataKeySettings } from '#shared/base/data-keys.ts';
import { environmentSchema } from '#shared/base/env.ts';
import { COMMON_CODES } from '#shared/base/errors.ts';
import { HttpSettings } from '#shared/transport/http-settings.ts';
import { RoverOverrides, readRoverConfig } from '#shared/process/rover-config.ts';
import { StoreSettings } from '#shared/store/mongo.ts';
import type { RouteEntry } from '#shared/kit/define-route.ts';
import type { Subgraph } from '#shared/kit/define-subgraph.ts';
import { AuditSettings } from '#shared/audit/settings.ts';
import { providersIn } from '#shared/providers/define-provider.ts';
import { SandboxSettings } from '#shared/providers/sandbox-settings.ts';

const ROOT = join(import.meta.dirname, '..');
/** The system's and Node's own, those of tests, and those of a library. */
const NOT_OURS = ['PATH', 'NODE_COMPILE_CACHE', 'CRASH_AT', 'SEED', 'CONFORMANCE_OPERATIONS', 'HOME', 'XDG_CACHE_HOME', 'CI', 'NO_COLOR'];

const text = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const firstColumn = (file: string): string[] => [...text(file).matchAll(/^\| `([A-Z][A-Z0-9_]+)` +\|/gm)].map(([, name]) => name!);

/** Names of the fields of a zod schema, whatever it is wrapped in. */
function fieldsOf(schema: z.ZodType): string[] {
  const fields = (node: z.core.JSONSchema.BaseSchema): string[] => [
    ...Object.keys(node.properties ?? {}),
    ...(node.allOf ?? []).flatMap((part) => fields(part as z.core.JSONSchema.BaseSchema)),
  ];
  return fields(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as z.core.JSONSchema.BaseSchema);
}

async function environmentOfSubgraphs(): Promise<string[]> {
  const names = readRoverConfig(ROOT, {}).map(({ name }) => name);
  const subgraphs = await Promise.all(
    names.map(async (name) => ((await import(`../subgraphs/${name}/subgraph.ts`)) as { subgraph: Subgraph }).subgraph),
  );
  return subgraphs.flatMap(({ environment, settings, providers }) => [
    ...(environment ? fieldsOf(environment) : []),
    ...settings.flatMap(({ variable }) => variable ?? []),
    ...providersIn(providers(environment?.parse({}))).flatMap((provider) => fieldsOf(provider.settings)),
  ]);
}

/** Variables that code reads past the schemas. */
function readDirectly(): string[] {
  const files = globSync('{shared,gateway,subgraphs,demo,commands,tools,sandbox}/**/*.{ts,mjs}', { cwd: ROOT });
  const ours = files.filter((file) => !/\.test\.ts$|\/test-|testing/.test(file));
  return ours.flatMap((file) => [...text(file).matchAll(/\benv(?:\.|\[')([A-Z][A-Z0-9_]{2,})\b/g)].map(([, name]) => name!));
}

test('docs/configuration.md lists every environment variable that the code reads, and no other', async () => {
  const kit = [
    environmentSchema,
    AuditSettings,
    RoverOverrides,
    HttpSettings,
    AdmissionSettings,
    StoreSettings,
    SandboxSettings,
    DataKeySettings,
    SandboxSettings,
  ];
  const schemas = [...kit, GatewayEnvironment, ServeEnvironment].flatMap(fieldsOf);
  const variables = new Set([...schemas, ...(await environmentOfSubgraphs()), ...readDirectly()]);

  expect(firstColumn('docs/configuration.md').sort()).toEqual([...variables].filter((name) => !NOT_OURS.includes(name)).sort());
});

test('docs/routes.md lists every route', () => {
  const routes = JSON.parse(text('schema/routes.json')) as RouteEntry[];
  const listed = [...text('docs/routes.md').matchAll(/^\| `((?:GET|PUT|POST) [^`]+)`/gm)].map(([, route]) => route!);

  expect(listed.sort()).toEqual(routes.map(({ method, path }) => `${method} ${path}`).sort());
});

test('docs/gateway.md lists every common error code', () => {
  expect(firstColumn('docs/gateway.md').sort()).toEqual(Object.keys(COMMON_CODES).sort());
});

test.each(['README.md', 'CONTRIBUTING.md', 'SECURITY.md', ...globSync('docs/*.md', { cwd: ROOT })])('links of %s lead to files', (file) => {
  const targets = [...text(file).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, target]) => join(file, '..', target!));

  expect(targets.filter((target) => globSync(target, { cwd: ROOT }).length === 0)).toEqual([]);
});

test('README.md names only scripts that package.json has, and stays under 250 lines', () => {
  const { scripts } = JSON.parse(text('package.json')) as { scripts: Record<string, string> };
  const named = ['README.md', 'CONTRIBUTING.md', ...globSync('docs/*.md', { cwd: ROOT })].flatMap((file) =>
    [...text(file).matchAll(/(?:`|^|-- |accounts )npm (?:run )?([a-z:-]+)/gm)].map(([, name]) => name!),
  );

  expect([...new Set(named)].filter((name) => !(name in scripts) && !['install', 'config'].includes(name))).toEqual([]);
  expect(text('README.md').split('\n').length).toBeLessThan(250);
});

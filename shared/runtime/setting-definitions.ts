import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { parseEnv, withFormerNames, type EnvSource } from '../base/env.ts';
import { notFound } from '../base/errors.ts';
import { StartError } from '../base/start-error.ts';
import { sentenceOf, validationMessage } from '../base/validation-messages.ts';
import { handleCommand, type CommandHandler } from '../kit/define-command.ts';
import type { Subgraph } from '../kit/define-subgraph.ts';
import { checkSetting, type Registration } from '../kit/settings-commands.ts';
import { readVariable } from '../settings/setting-value.ts';
import type { SettingsClient } from '../settings/settings-client.ts';

type Definer = Pick<Subgraph, 'name' | 'folder' | 'settings' | 'flags'>;

export const definesAny = ({ settings, flags }: Definer): boolean => settings.length + flags.length > 0;

/** Replaces defaults by environment variables. Throws one line that names each wrong variable, never its value. */
export function applyVariables({ settings }: Definer, environment: EnvSource, client: SettingsClient): void {
  const given = readVariables(settings, environment);
  const faults = settings.flatMap((setting) => {
    const text = setting.variable && given[setting.variable];
    const read = text ? readVariable(setting, text) : { success: true as const, data: undefined };
    if (read.success) client.define(setting, read.data);
    return read.success ? [] : [`${setting.variable}: ${read.error.issues[0]?.message}`];
  });
  if (faults.length > 0) throw new StartError(`Environment: ${faults.join('; ')}`);
}

function readVariables(settings: Definer['settings'], environment: EnvSource): Record<string, string | undefined> {
  const named = settings.filter(({ variable }) => variable);
  const former = named
    .filter(({ formerVariable }) => formerVariable)
    .map(({ variable, formerVariable }) => [variable, formerVariable] as const);
  // Only those that are named: a record of all would be the whole environment.
  const shape = z.object(Object.fromEntries(named.map(({ variable }) => [variable!, z.string().optional()] as const)));
  return parseEnv(withFormerNames(shape, Object.fromEntries(former)), environment) as Record<string, string | undefined>;
}

/** What the process tells the subgraph that stores the values. */
export function registrationOf(subgraph: Definer, client: SettingsClient, evaluated: string[]): Registration {
  return {
    owner: subgraph.name,
    build: newestFile(subgraph.folder),
    settings: subgraph.settings.map((setting) => ({
      id: setting.id,
      description: setting.description,
      schema: JSON.stringify(z.toJSONSchema(setting.schema, { io: 'input', unrepresentable: 'any' })),
      default: setting.encrypted ? null : JSON.stringify(client.defaultOf(setting) ?? null),
      per: [...setting.per],
      encrypted: setting.encrypted,
    })),
    flags: subgraph.flags.map(({ id, description, default: fallback, per, public: isPublic }) => ({
      id,
      description,
      default: fallback,
      per: [...per],
      public: isPublic,
    })),
    evaluated,
  };
}

/** When the newest source file of a folder was written, in epoch milliseconds. */
const newestFile = (folder: string): number =>
  Math.floor(
    Math.max(
      0,
      ...readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter(isSource)
        .map((file) => statSync(join(folder, file)).mtimeMs),
    ),
  );

const isSource = (file: string): boolean => file.endsWith('.ts') && !file.endsWith('.test.ts');

/** The command by which a subgraph judges values of its own settings. */
export function settingHandlers({ name, settings }: Definer): CommandHandler[] {
  if (settings.length === 0) return [];
  return [
    handleCommand(checkSetting(name), async (_ctx, { id, value }) => {
      const setting = settings.find((each) => each.id === id);
      if (!setting) throw notFound('Setting', id, ['input', 'id']);
      const [issue] = setting.schema.safeParse(JSON.parse(value), { error: validationMessage }).error?.issues ?? [];
      if (!issue) return { issue: null };
      const code = issue.code === 'custom' && typeof issue.params?.['code'] === 'string' ? issue.params['code'] : issue.code;
      const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
      return { issue: { code, path, message: sentenceOf(issue.message) } };
    }),
  ];
}

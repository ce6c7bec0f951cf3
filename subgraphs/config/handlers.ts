import { handleCommand } from '#shared/kit/define-command.ts';
import { register } from './actions/definitions.ts';
import { readPages } from './actions/pages.ts';
import { readSettings, registerDefinitions } from './contract.ts';

export const handlers = [handleCommand(registerDefinitions, register), handleCommand(readSettings, readPages)];

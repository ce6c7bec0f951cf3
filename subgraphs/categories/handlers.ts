import { handleCommand } from '#shared/kit/define-command.ts';
import { findCopies, listSubtree } from './actions.ts';
import { findCategories, findSubtree } from './contract.ts';

export const handlers = [handleCommand(findCategories, findCopies), handleCommand(findSubtree, listSubtree)];

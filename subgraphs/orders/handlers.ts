import { answer } from '../../shared/commands.ts';
import { on } from '../../shared/events.ts';
import { userDeleted } from '../accounts/contract.ts';
import { listUnfinishedParts } from './actions/lists.ts';
import { forgetUser, returnStock } from './actions/people.ts';
import { findUnfinishedParts, stockReturnWork } from './contract.ts';

export const handlers = [answer(findUnfinishedParts, listUnfinishedParts), on(userDeleted, forgetUser), on(stockReturnWork, returnStock)];

import { on } from '../../shared/events.ts';
import { userDeleted } from '../accounts/contract.ts';
import { forgetUser, returnStock } from './actions/people.ts';
import { stockReturnWork } from './contract.ts';

export const handlers = [on(userDeleted, forgetUser), on(stockReturnWork, returnStock)];

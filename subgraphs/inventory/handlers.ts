import { answer } from '#shared/kit/define-command.ts';
import { on } from '#shared/kit/define-event.ts';
import { job } from '#shared/kit/define-job.ts';
import { productDeleted } from '../catalog/contract.ts';
import { discontinueProduct, recordAlert } from './actions/alerts.ts';
import { expireReservations } from './actions/expire.ts';
import { holdStock } from './actions/hold.ts';
import { findAvailable } from './actions/reading.ts';
import { commitHold, extendHold, releaseHold, takeReturn } from './actions/reservations.ts';
import {
  commitReservation,
  extendReservation,
  findStock,
  lowStockAlert,
  releaseReservation,
  reserveStock,
  restockReservation,
} from './contract.ts';

const EXPIRE_EVERY_MS = 5_000;

export const handlers = [
  answer(reserveStock, holdStock),
  answer(extendReservation, extendHold),
  answer(commitReservation, commitHold),
  answer(releaseReservation, releaseHold),
  answer(restockReservation, takeReturn),
  answer(findStock, findAvailable),
  on(productDeleted, discontinueProduct),
  on(lowStockAlert, recordAlert),
  job('expire-reservations', { every: EXPIRE_EVERY_MS }, expireReservations),
];

import { acceptedRanges } from '../http/accept-header.ts';

/** How a stream is written into an HTTP response. Each text is complete by itself: what was written is read at once. */
export interface Format {
  contentType: string;
  /** Begins the stream. */
  start: string;
  /** Says nothing, so that nobody between takes the connection for dead. */
  heartbeat: string;
  /** An answer, serialised. */
  event: (payload: string) => string;
  /** The stream itself has failed; errors, serialised. */
  failure: (errors: string) => string;
  end: string;
}

/** The distinct connections mode of the graphql-sse protocol. */
const serverSentEvents: Format = {
  contentType: 'text/event-stream; charset=utf-8',
  start: ':\n\n',
  heartbeat: ':\n\n',
  event: (payload) => `event: next\ndata: ${payload}\n\n`,
  failure: (errors) => `event: next\ndata: {"errors":${errors}}\n\n`,
  end: 'event: complete\ndata:\n\n',
};

/** The events of one operation among others. */
export const nextOf = (id: string, payload: string): string => serverSentEvents.event(`{"id":${JSON.stringify(id)},"payload":${payload}}`);
export const completeOf = (id: string): string => `event: complete\ndata: {"id":${JSON.stringify(id)}}\n\n`;

/** The single connection mode: events come ready made, each with the id of its operation; a failure concerns them all. */
export const multiplexed = (of: { readonly ids: Iterable<string> }): Format => ({
  ...serverSentEvents,
  event: (written) => written,
  failure: (errors) => [...of.ids].map((id) => nextOf(id, `{"errors":${errors}}`) + completeOf(id)).join(''),
  end: '',
});

const BOUNDARY = '\r\n--graphql';
const part = (body: string): string => `\r\ncontent-type: application/json\r\n\r\n${body}${BOUNDARY}`;

/** Multipart subscriptions, as Apollo's clients and router speak them. A part is read when the boundary after it is there. */
const multipart: Format = {
  contentType: 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0',
  start: BOUNDARY,
  heartbeat: part('{}'),
  event: (payload) => part(`{"payload":${payload}}`),
  failure: (errors) => part(`{"payload":null,"errors":${errors}}`),
  end: '--\r\n',
};

/** In what format a client takes streams: of several the one that it likes best. Undefined when it takes none. */
export function formatFor(accept: string | undefined): Format | undefined {
  const streams = acceptedRanges(accept).flatMap(({ type, parameters, quality }) => {
    if (type === 'text/event-stream') return [{ format: serverSentEvents, quality }];
    return type === 'multipart/mixed' && parameters.get('subscriptionspec') === '1.0' ? [{ format: multipart, quality }] : [];
  });
  const best = Math.max(...streams.map(({ quality }) => quality));
  const formats = streams.filter(({ quality }) => quality === best).map(({ format }) => format);
  return formats.find((format) => format === multipart) ?? formats[0];
}

export const takesEvents = (accept: string | undefined): boolean => formatFor(accept) === serverSentEvents;

/** True for a client that takes nothing but events, so that queries and mutations are answered by events too. Some name all they know. */
export const takesEventsOnly = (accept: string | undefined): boolean =>
  takesEvents(accept) && !acceptedRanges(accept).some(({ type }) => /\bjson\b/.test(type));

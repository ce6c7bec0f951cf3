import { acceptedRanges } from '../http/accept-header.ts';

/** How a stream is written into an HTTP response. Clients read each text as soon as it is written. */
export interface Format {
  contentType: string;
  /** Begins the stream. */
  start: string;
  /** Carries no data. It keeps proxies from closing the connection as idle. */
  heartbeat: string;
  /** Takes a serialised result. */
  event: (payload: string) => string;
  /** Takes serialised errors: the stream itself has failed. */
  failure: (errors: string) => string;
  end: string;
}

/** Distinct connections mode of the graphql-sse protocol. */
const serverSentEvents: Format = {
  contentType: 'text/event-stream; charset=utf-8',
  start: ':\n\n',
  heartbeat: ':\n\n',
  event: (payload) => `event: next\ndata: ${payload}\n\n`,
  failure: (errors) => `event: next\ndata: {"errors":${errors}}\n\n`,
  end: 'event: complete\ndata:\n\n',
};

/** Messages of one operation on a shared connection. */
export const nextOf = (id: string, payload: string): string => serverSentEvents.event(`{"id":${JSON.stringify(id)},"payload":${payload}}`);
export const completeOf = (id: string): string => `event: complete\ndata: {"id":${JSON.stringify(id)}}\n\n`;

/** Single connection mode: events arrive formatted, with the id of their operation. A failure ends every operation. */
export const multiplexed = (of: { readonly ids: Iterable<string> }): Format => ({
  ...serverSentEvents,
  event: (written) => written,
  failure: (errors) => [...of.ids].map((id) => nextOf(id, `{"errors":${errors}}`) + completeOf(id)).join(''),
  end: '',
});

const BOUNDARY = '\r\n--graphql';
const part = (body: string): string => `\r\ncontent-type: application/json\r\n\r\n${body}${BOUNDARY}`;

/** Multipart subscriptions as Apollo's clients and router use them. Clients read a part when the boundary after it arrives. */
const multipart: Format = {
  contentType: 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0',
  start: BOUNDARY,
  heartbeat: part('{}'),
  event: (payload) => part(`{"payload":${payload}}`),
  failure: (errors) => part(`{"payload":null,"errors":${errors}}`),
  end: '--\r\n',
};

/** The stream format with the highest quality in the `Accept` header; undefined when the client accepts none. */
export function streamFormatFor(accept: string | undefined): Format | undefined {
  const streams = acceptedRanges(accept).flatMap(({ type, parameters, quality }) => {
    if (type === 'text/event-stream') return [{ format: serverSentEvents, quality }];
    return type === 'multipart/mixed' && parameters.get('subscriptionspec') === '1.0' ? [{ format: multipart, quality }] : [];
  });
  const best = Math.max(...streams.map(({ quality }) => quality));
  const formats = streams.filter(({ quality }) => quality === best).map(({ format }) => format);
  return formats.find((format) => format === multipart) ?? formats[0];
}

export const takesEvents = (accept: string | undefined): boolean => streamFormatFor(accept) === serverSentEvents;

/**
 * True for a client that accepts event streams but no JSON: queries and mutations are returned as events too. Some clients list every type
 * they know.
 */
export const takesEventsOnly = (accept: string | undefined): boolean =>
  takesEvents(accept) && !acceptedRanges(accept).some(({ type }) => /\bjson\b/.test(type));

/** A request to a third party of the sandbox, below `/<name>`. */
export interface SandboxRequest {
  method: string;
  /** Below `/<name>`, with its slash. */
  path: string;
  query: URLSearchParams;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: string;
  /** Set by the fault `forged`: whatever the third party signs, it signs wrongly. */
  isForged: boolean;
}

export interface SandboxResponse {
  status?: number;
  headers?: Record<string, string>;
  /** Sent as JSON. */
  json?: unknown;
  text?: string;
}

/** A message of the third party to us, such as a webhook. */
export interface Callback {
  url: string;
  headers: Record<string, string>;
  body: string;
}

export interface ThirdPartyTools {
  /** Where the third party answers, without a slash at its end. */
  url: string;
  /** Shows on the page and to tests what came in. */
  record(entry: { kind: string; summary: string; data?: unknown }): void;
  /** Sends a callback, as the faults asked for have it. */
  callback(callback: Callback): void;
  /** Takes the next fault that was asked for, if it is one of these. */
  takeFault(...kinds: FaultKind[]): Fault | undefined;
}

/** One third party: what it speaks, and what tests may tell it. */
export interface ThirdParty {
  handle?(request: SandboxRequest): Promise<SandboxResponse> | SandboxResponse;
  /** For a protocol in which the server speaks first. */
  connect?(socket: import('node:net').Socket): void;
  /** Changes what it does next: `POST /control/<name>`. */
  control?(body: any): unknown;
  close?(): void;
}

export type OpenThirdParty = (tools: ThirdPartyTools) => ThirdParty;

/**
 * late: answers after `afterMs`. lost-answer: has its effect, then breaks the connection off after `afterMs`. 500: fails without an effect. forged:
 * signs wrongly. twice and out-of-order: for callbacks, sent two times, or after the next one.
 */
export const FAULTS = ['late', 'lost-answer', 'twice', 'out-of-order', 'forged', '500'] as const;

export type FaultKind = (typeof FAULTS)[number];

export interface Fault {
  kind: FaultKind;
  /** How many requests or callbacks have it. Default 1. */
  times: number;
  afterMs: number;
  /** Only requests that begin so, such as `POST /letters`; `callback`: only callbacks. Default: all. */
  request: string;
}

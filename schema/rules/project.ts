import type { LoadedSubgraph } from './load-subgraph.ts';

/** Rules over all subgraphs: each name, each kind of work and each entity has one place. */
export function projectFaults(loaded: readonly LoadedSubgraph[]): string[] {
  const events = loaded.flatMap((each) => each.events);
  const owned = loaded.flatMap((each) => [...each.owns]);
  const names = loaded.map(({ name }) => name);
  const handled = loaded.flatMap(({ subgraph }) => [
    ...new Set(subgraph.handlers.flatMap((handler) => (handler.kind === 'event' && handler.event.queue ? [handler.event.queue] : []))),
  ]);
  return [
    ...twice(events.map(({ type, version }) => `${type} ${version}`)).map((event) => `the event ${event} is declared twice`),
    ...twice(loaded.flatMap(({ commands }) => commands.map(({ name }) => name))).map((name) => `the command ${name} is declared twice`),
    ...events
      .filter(({ type, queue }) => !(queue ? /^[a-z]+(-[a-z]+)*$/ : /^[A-Z][A-Za-z]*\.[A-Z][A-Za-z]*$/).test(type))
      .map(({ type }) => `${type}: an event is called Noun.PastParticiple, a job by small letters and dashes`),
    // Each subgraph consumes its events on a queue of its own name.
    ...events
      .filter(({ queue }) => queue !== undefined && names.includes(queue))
      .map(({ type }) => `${type}: a job may not be called like a subgraph`),
    ...twice(handled).map((queue) => `the jobs ${queue} are handled by two subgraphs`),
    ...twice(owned).map((type) => `${type} is owned by two subgraphs`),
    ...loaded.flatMap((each) =>
      [...each.extends]
        .filter((type) => !owned.includes(type))
        .map((type) => `subgraphs/${each.name}: README.md extends ${type}, which no subgraph owns`),
    ),
  ];
}

const twice = (names: readonly string[]): string[] => [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];

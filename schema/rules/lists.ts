import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { readRoverConfig } from '#shared/process/rover-config.ts';
import type { Compose } from './compose-file.ts';
import { subgraphFolders } from './load-subgraph.ts';

/** Services of docker-compose.yml that are no subgraphs. */
const OTHER_SERVICES = ['gateway', 'mongo', 'mongo-init', 'redis'];

/** Subgraphs that stand in `subgraphs/`, rover.yaml and docker-compose.yml, but not in all three; and entries of rover.yaml that disagree. */
export function listFaults(root: string): string[] {
  const folders = subgraphFolders(root);
  const rover = readRoverConfig(root, {});
  const listed = rover.map(({ name }) => name);
  const services = Object.keys(readServices(root)).filter((name) => !OTHER_SERVICES.includes(name));
  const missing = folders.filter((name) => !listed.includes(name));
  const twice = rover.filter(({ port }, index) => rover.findIndex((other) => other.port === port) !== index);
  return [
    ...missing.map((name) => `subgraphs/${name}: rover.yaml does not list it; add it, or remove the folder`),
    ...listed
      .filter((name) => !folders.includes(name))
      .map((name) => `rover.yaml: lists ${name}, but there is no folder subgraphs/${name}`),
    ...folders
      .filter((name) => !services.includes(name))
      .map((name) => `subgraphs/${name}: docker-compose.yml has no service of this name`),
    ...services
      .filter((name) => !folders.includes(name))
      .map((name) => `docker-compose.yml: has the service ${name}, but there is no folder subgraphs/${name}`),
    ...rover
      .filter(({ name, routingUrl, port }) => routingUrl !== `http://${name}:${port}/graphql`)
      .map(({ name, port }) => `rover.yaml: routing_url of ${name} must be http://${name}:${port}/graphql`),
    ...twice.map(({ name, port }) => `rover.yaml: ${name} has port ${port}, which another subgraph has too`),
    ...rover
      .filter(({ name, schemaFile }) => schemaFile !== `.data/schema/subgraphs/${name}.graphql`)
      .map(({ name }) => `rover.yaml: schema file of ${name} must be .data/schema/subgraphs/${name}.graphql`),
    ...otherOrder(listed, services),
  ];
}

function otherOrder(listed: readonly string[], services: readonly string[]): string[] {
  const both = listed.filter((name) => services.includes(name));
  const first = services.filter((name) => listed.includes(name)).find((name, index) => name !== both[index]);
  return first === undefined ? [] : [`docker-compose.yml: ${first} stands in another place than in rover.yaml`];
}

function readServices(root: string): Compose['services'] {
  const file = join(root, 'docker-compose.yml');
  return existsSync(file) ? ((parse(readFileSync(file, 'utf8'), { merge: true }) as Compose).services ?? {}) : {};
}

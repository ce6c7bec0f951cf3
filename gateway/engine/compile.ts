import type { DeferNode, PlanNode } from '@apollo/query-planner';
import { compileFetch } from './fetch.ts';
import type { DeferredPart, Kit, Path, Step } from './run.ts';
import { gather } from './targets.ts';
import { clientVariable } from './variables.ts';

/** Compiles a plan node into a step. `at` is the path of the objects that the step gets. */
export function compilePlan(node: PlanNode, kit: Kit, at: Path = []): Step {
  switch (node.kind) {
    case 'Fetch':
      return compileFetch(node, at, kit);
    case 'Flatten':
      return flatten(compilePlan(node.node, kit, [...at, ...node.path]), node.path);
    case 'Sequence':
      return sequence(node.nodes.map((each) => compilePlan(each, kit, at)));
    case 'Parallel':
      return parallel(node.nodes.map((each) => compilePlan(each, kit, at)));
    case 'Condition':
      return condition(
        node.condition,
        node.ifClause && compilePlan(node.ifClause, kit, at),
        node.elseClause && compilePlan(node.elseClause, kit, at),
      );
    case 'Defer':
      return defer(node, kit, at);
  }
}

function flatten(step: Step, path: Path): Step {
  return (run, targets) => {
    const found = gather(targets, path);
    return found.length > 0 ? step(run, found) : undefined;
  };
}

function sequence(steps: readonly Step[]): Step {
  return async (run, targets) => {
    for (const step of steps) await step(run, targets);
  };
}

function parallel(steps: readonly Step[]): Step {
  return async (run, targets) => {
    await Promise.all(steps.map(async (step) => step(run, targets)));
  };
}

function condition(variable: string, yes: Step | undefined, no: Step | undefined): Step {
  const given = clientVariable(variable);
  return (run, targets) => (run.conditions[given] ? yes : no)?.(run, targets);
}

/** Runs what the first response needs, and leaves the deferred parts on the run. */
function defer({ primary, deferred }: DeferNode, kit: Kit, at: Path): Step {
  const first = primary.node && compilePlan(primary.node, kit, at);
  const parts = deferred.map(({ label = '', node }): DeferredPart => ({ id: label, work: node && compilePlan(node, kit, at) }));
  return async (run, targets) => {
    await first?.(run, targets);
    run.deferred.push(...parts);
  };
}

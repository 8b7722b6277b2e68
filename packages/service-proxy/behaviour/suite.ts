import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { IpFamily } from '#ip';
import type { BehaviourWorld, Outcome } from './case.ts';
import { CASES } from './cases.ts';
import { inFamily } from './in-family.ts';

export interface BehaviourLimits {
  /** Why a case cannot be shown there, undefined when it can. */
  readonly skip?: (name: string) => string | undefined;
  /** What an outcome of the cases is there. */
  readonly expected?: (outcome: Outcome) => Outcome;
}

/**
 * The behaviour of a backend, case by case.
 * @param open a fresh world for one case; closed after it
 */
export function describeBehaviour(
  title: string,
  family: IpFamily,
  open: () => Promise<BehaviourWorld & Partial<AsyncDisposable>>,
  { skip, expected = (outcome) => outcome }: BehaviourLimits = {},
): void {
  describe(title, () => {
    for (const { name, states } of inFamily(family, CASES)) {
      test(name, { skip: skip?.(name) ?? false }, async () => {
        const world = await open();
        try {
          for (const state of states) {
            await world.program(state);
            for (const { from, to, outcomes: all } of state.expect) {
              const outcomes = [...new Set(all.map(expected))];
              const seen = await world.attempt(from, to, outcomes);
              const what = `${state.when ?? 'then'}: ${from} -> ${to.address}:${to.port}/${to.protocol}`;
              assert.deepEqual([...seen].sort(), [...outcomes].sort(), what);
            }
          }
        } finally {
          await world[Symbol.asyncDispose]?.();
        }
      });
    }
  });
}

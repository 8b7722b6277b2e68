import type { Outcome } from './case.ts';
import type { TestedMechanism } from './tested-mechanism.ts';

/** What an outcome of the cases is with a mechanism. */
export function expectedOutcome({ replacesSources }: TestedMechanism, outcome: Outcome): Outcome {
  return replacesSources ? outcome.replace(/ kept$/, ' replaced') : outcome;
}

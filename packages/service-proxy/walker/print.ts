import { printPlace } from '../table/print.ts';
import type { Walk } from './walk.ts';

/** For people and for golden files: the packet, each step with the rule and the element that decided, and the end. */
export function printWalk(walk: Walk): string {
  const { protocol, source, origin } = walk.packet;
  const lines = [
    `${protocol} from ${source} (${origin}) to ${placeText(walk.packet)}`,
    ...walk.steps.flatMap(({ hook, chain, rule, element, effect }) => [
      `  ${hook}, ${chain}: ${rule}`,
      ...(element === undefined ? [] : [`    by ${element.set} { ${element.key} : ${element.value} }`]),
      `    ${effect}`,
    ]),
    endText(walk),
  ];
  return `${lines.join('\n')}\n`;
}

function endText(walk: Walk): string {
  if (walk.outcome === 'dropped') return 'dropped';
  if (walk.outcome === 'rejected') return `rejected with ${walk.rejectedWith}`;
  return `${walk.outcome} to ${placeText(walk)}${walk.masqueraded ? ", with the node's address as its source" : ''}`;
}

function placeText({ destination, destinationPort }: Place): string {
  return destinationPort === undefined ? destination : printPlace(destination, destinationPort);
}

interface Place {
  readonly destination: string;
  readonly destinationPort?: number | undefined;
}

import { type LabStatus, type LabSummary, nameFlag, type UpResult } from '#lab';
import { formatAge, formatTable } from '../table.ts';
import type { Style } from '../terminal.ts';

/** What `lab up` tells programs. */
export function upReport(up: UpResult) {
  const { name, nodes, kubeconfig, bootMilliseconds, dnsMilliseconds, marks } = up;
  return { name, nodes, kubeconfig, bootMilliseconds, dnsMilliseconds, parts: marks };
}

export function formatUp(up: UpResult, style: Style): string {
  const { name, nodes, kubeconfig } = up;
  const table = formatTable(
    ['NODE', 'ADDRESS', 'POD CIDR'],
    nodes.map(({ name, ips, podCIDRs }) => [name, ips.join(','), podCIDRs.join(',')]),
  );
  const option = nameFlag(name);
  return [
    `${style.good('✓')} lab ${style.bold(name)} ${happened(up)}`,
    '',
    table,
    '',
    `export KUBECONFIG=${kubeconfig}`,
    style.dim(`or: podway lab kubectl${option} -- get pods -A;  end it with: podway lab down${option}`),
  ].join('\n');
}

export function formatLabList(labs: readonly LabSummary[], wide: boolean, style: Style, now: number): string {
  return formatTable(
    ['NAME', 'STATE', 'NODES', 'AGE', ...(wide ? ['KUBECONFIG'] : [])],
    labs.map((lab) => [
      lab.name,
      lab.state === 'running' ? style.good(lab.state) : lab.state,
      String(lab.nodes),
      formatAge(now - Date.parse(lab.createdAt)),
      ...(wide ? [lab.kubeconfig] : []),
    ]),
  );
}

export function formatLabStatus(status: LabStatus, wide: boolean, style: Style, now: number): string {
  const { name, state, options, createdAt, nodeStatus, processes, problem } = status;
  const head = `lab ${style.bold(name)}: ${state}, ${plural(options.nodes, 'node')}, ${options.podNetwork}, ${options.proxy}, ${options.ipFamily}, age ${formatAge(now - Date.parse(createdAt))}`;
  const parts = [head];
  if (state === 'stopped')
    parts.push(`its objects are stored; start it again with: podway lab up${nameFlag(name)}`);
  if (problem !== undefined) parts.push(style.bad(problem));
  if (nodeStatus.length > 0)
    parts.push(
      formatTable(
        ['NODE', 'READY', 'ADDRESS', 'POD CIDR', 'PODS', 'AGENT', 'RESTARTS', 'AGE'],
        nodeStatus.map((node) => [
          node.name,
          node.ready ? style.good('yes') : style.bad(`no: ${node.message}`),
          node.ips.join(','),
          node.podCIDRs.join(','),
          String(node.pods),
          node.agent === undefined ? 'unknown' : node.agent.state,
          String(node.agent?.restarts ?? ''),
          node.agent === undefined ? '' : formatAge(now - node.agent.since),
        ]),
      ),
    );
  if (wide && processes.length > 0)
    parts.push(
      formatTable(
        ['PROCESS', 'STATE', 'PID IN LAB', 'RESTARTS', 'LAST EXIT', 'SINCE'],
        processes.map((each) => [
          each.name,
          each.state,
          String(each.pid ?? ''),
          String(each.restarts),
          each.lastExit ?? '',
          formatAge(now - each.since),
        ]),
      ),
    );
  return parts.join('\n\n');
}

function happened({ outcome, nodes, options, bootMilliseconds, dnsMilliseconds }: UpResult): string {
  switch (outcome) {
    case 'new':
    case 'again': {
      const ready = `${plural(nodes.length, 'node')} Ready after ${seconds(bootMilliseconds)}`;
      const dns = dnsMilliseconds === null ? '' : `, DNS answered in a Pod after ${seconds(dnsMilliseconds)}`;
      return `is up${outcome === 'again' ? ' again' : ''}: ${ready}${dns}`;
    }
    case 'already':
      return 'is up already';
    case 'switched':
      return `carries Services by ${options.proxy} now, on every node`;
  }
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

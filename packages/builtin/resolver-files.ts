/** agnhost's dns-suffix: the search list of a resolv.conf(5), with commas. */
export function dnsSuffixes(resolvConf: string): string {
  return wordsOf(resolvConf, 'search').join(',');
}

/** agnhost's dns-server-list: the name servers of a resolv.conf(5), with commas. */
export function dnsServers(resolvConf: string): string {
  return wordsOf(resolvConf, 'nameserver').join(',');
}

function wordsOf(text: string, keyword: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([first]) => first === keyword)
    .flatMap(([, ...words]) => words);
}

import type { DnsName, Message, ResourceRecord } from '../wire/index.ts';

/**
 * A reply with the asker's case. Names that a server compressed into the question come back in the random case (0x20)
 * that the question was sent in, which nobody asked for. `sent` and `asked` differ in case alone.
 */
export function withAskedCase(reply: Message, sent: DnsName, asked: DnsName): Message {
  const name = (given: DnsName): DnsName => {
    // The longest end of the question first: all of it, then without its first label, …
    for (let at = 0; at < sent.length; at = endOfLabel(sent, at)) {
      const end = sent.slice(at);
      if (given === end || given.endsWith(`.${end}`))
        return given.slice(0, given.length - end.length) + asked.slice(at);
    }
    return given;
  };
  const records = (given: readonly ResourceRecord[]) =>
    given.map((each): ResourceRecord => {
      const owned = { ...each, name: name(each.name) };
      if ('target' in owned) return { ...owned, target: name(owned.target) };
      if (owned.type === 'SOA')
        return { ...owned, primary: name(owned.primary), mailbox: name(owned.mailbox) };
      return owned;
    });
  return { ...reply, answers: records(reply.answers), authorities: records(reply.authorities) };
}

function endOfLabel(name: DnsName, at: number): number {
  const dot = name.indexOf('.', at);
  return dot < 0 ? name.length : dot + 1;
}

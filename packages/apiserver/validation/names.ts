const regexHint = (message: string, example: string, regex: string) =>
  `${message} (e.g. ${example}, regex used for validation is '${regex}')`;

const LABEL_FORMAT = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const SUBDOMAIN_FORMAT = '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*';
const QUALIFIED_FORMAT = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';

/** A text rule: what is wrong with it, or nothing. */
export type NameRule = (text: string) => readonly string[];

/** RFC 1123 label. Source: apimachinery util/validation. */
export const dnsLabel: NameRule = (text) => [
  ...(text.length > 63 ? ['must be no more than 63 bytes'] : []),
  ...(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(text)
    ? []
    : [
        regexHint(
          "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
          "'my-name',  or '123-abc'",
          LABEL_FORMAT,
        ),
      ]),
];

/** RFC 1035 label: the names of Services. */
export const dns1035Label: NameRule = (text) => [
  ...(text.length > 63 ? ['must be no more than 63 bytes'] : []),
  ...(/^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(text)
    ? []
    : [
        regexHint(
          "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
          "'my-name',  or 'abc-123'",
          '[a-z]([-a-z0-9]*[a-z0-9])?',
        ),
      ]),
];

/** RFC 1123 subdomain: the names of most kinds. */
export const dnsSubdomain: NameRule = (text) => [
  ...(text.length > 253 ? ['must be no more than 253 bytes'] : []),
  ...(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(text)
    ? []
    : [
        regexHint(
          "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
          "'example.com'",
          SUBDOMAIN_FORMAT,
        ),
      ]),
];

/** A key of labels and annotations: `[prefix/]name`. */
export const qualifiedName: NameRule = (text) => {
  const slash = text.indexOf('/');
  const name = text.slice(slash + 1);
  const errors: string[] = [];
  if (slash === 0) errors.push('prefix part must be non-empty');
  if (slash > 0) errors.push(...dnsSubdomain(text.slice(0, slash)).map((error) => `prefix part ${error}`));
  if (name === '') errors.push('name part must be non-empty');
  if (name.length > 63) errors.push('name part must be no more than 63 bytes');
  if (!/^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/.test(name))
    errors.push(
      regexHint(
        "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
        "'MyName',  or 'my.name',  or '123-abc'",
        QUALIFIED_FORMAT,
      ),
    );
  return errors;
};

export const labelValue: NameRule = (text) => [
  ...(text.length > 63 ? ['must be no more than 63 bytes'] : []),
  ...(/^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/.test(text)
    ? []
    : [
        regexHint(
          "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
          "'MyValue',  or 'my_value',  or '12345'",
          `(${QUALIFIED_FORMAT})?`,
        ),
      ]),
];

/** IANA service name: names of container ports. */
export const portName: NameRule = (text) => {
  const errors: string[] = [];
  if (text.length > 15) errors.push('must be no more than 15 characters');
  if (!/^[-a-z0-9]+$/.test(text))
    errors.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  if (!/[a-z]/.test(text)) errors.push('must contain at least one letter (a-z)');
  if (text.includes('--')) errors.push('must not contain consecutive hyphens');
  if (text.startsWith('-') || text.endsWith('-')) errors.push('must not begin or end with a hyphen');
  return errors;
};

export const environmentName: NameRule = (text) =>
  text === ''
    ? ['environment variable name must be non-empty']
    : /^[ -<>-~]+$/.test(text)
      ? []
      : ["a valid environment variable name must consist only of printable ASCII characters other than '='"];

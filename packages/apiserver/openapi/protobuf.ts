/** Writes protobuf messages (wire types varint and length-delimited, all that OpenAPI needs). Absent values write nothing. */
export class MessageWriter {
  readonly #parts: Uint8Array[] = [];

  string(field: number, value: string | undefined): this {
    return value === undefined || value === '' ? this : this.bytes(field, Buffer.from(value));
  }

  strings(field: number, values: readonly string[] | undefined): this {
    for (const value of values ?? []) this.bytes(field, Buffer.from(value));
    return this;
  }

  boolean(field: number, value: boolean | undefined): this {
    if (value === true) this.#parts.push(varint(field << 3), varint(1));
    return this;
  }

  /** A nested message; undefined writes nothing, an empty message writes an empty one. */
  message(field: number, message: MessageWriter | undefined): this {
    return message === undefined ? this : this.bytes(field, message.finish());
  }

  bytes(field: number, value: Uint8Array): this {
    this.#parts.push(varint((field << 3) | 2), varint(value.length), value);
    return this;
  }

  finish(): Uint8Array {
    return Buffer.concat(this.#parts);
  }
}

export const message = (): MessageWriter => new MessageWriter();

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

/**
 * What the first byte of a MessagePack value says about it (MessagePack specification, "Formats").
 * Only the strict reader and the skipping of unknown fields use this table; the fast readers have
 * the few cases that they expect spelled out.
 */

/** Kinds of values, as error messages name them. */
export type TokenKind =
  | "nil"
  | "a boolean"
  | "an integer"
  | "a float"
  | "a string"
  | "binary data"
  | "an array"
  | "a map"
  | "an extension"
  | "the reserved byte 0xc1"

export interface Token {
  readonly kind: TokenKind
  /** Bytes of the header, the first one included. */
  readonly header: number
  /** Payload bytes after the header, when fixed; `undefined` when the header carries a length or count. */
  readonly fixed: number | undefined
  /** Extra bytes beyond the length that the header carries: the type byte of an extension. */
  readonly extra: number
}

const token = (kind: TokenKind, header: number, fixed: number | undefined, extra = 0): Token => ({
  kind,
  header,
  fixed,
  extra
})

const longForms: Readonly<Record<number, Token>> = {
  0xc0: token("nil", 1, 0),
  0xc1: token("the reserved byte 0xc1", 1, 0),
  0xc2: token("a boolean", 1, 0),
  0xc3: token("a boolean", 1, 0),
  0xc4: token("binary data", 2, undefined),
  0xc5: token("binary data", 3, undefined),
  0xc6: token("binary data", 5, undefined),
  0xc7: token("an extension", 2, undefined, 1),
  0xc8: token("an extension", 3, undefined, 1),
  0xc9: token("an extension", 5, undefined, 1),
  0xca: token("a float", 1, 4),
  0xcb: token("a float", 1, 8),
  0xcc: token("an integer", 1, 1),
  0xcd: token("an integer", 1, 2),
  0xce: token("an integer", 1, 4),
  0xcf: token("an integer", 1, 8),
  0xd0: token("an integer", 1, 1),
  0xd1: token("an integer", 1, 2),
  0xd2: token("an integer", 1, 4),
  0xd3: token("an integer", 1, 8),
  0xd4: token("an extension", 1, 2),
  0xd5: token("an extension", 1, 3),
  0xd6: token("an extension", 1, 5),
  0xd7: token("an extension", 1, 9),
  0xd8: token("an extension", 1, 17),
  0xd9: token("a string", 2, undefined),
  0xda: token("a string", 3, undefined),
  0xdb: token("a string", 5, undefined),
  0xdc: token("an array", 3, undefined),
  0xdd: token("an array", 5, undefined),
  0xde: token("a map", 3, undefined),
  0xdf: token("a map", 5, undefined)
}

const shortForm = (first: number): Token => {
  if (first < 0x80 || first >= 0xe0) return token("an integer", 1, 0)
  if (first < 0x90) return token("a map", 1, undefined)
  if (first < 0xa0) return token("an array", 1, undefined)
  return token("a string", 1, undefined)
}

const tokens: ReadonlyArray<Token> = Array.from({ length: 256 }, (_, first) => longForms[first] ?? shortForm(first))

/** The token that starts with this byte; `undefined` beyond the end of the input. */
export const tokenOf = (first: number | undefined): Token | undefined =>
  first === undefined ? undefined : tokens[first]

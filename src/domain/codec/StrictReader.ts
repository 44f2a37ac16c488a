/**
 * The slow reader. It runs after a fast reader gave up, over the same shape, and says where and why:
 * it keeps a cursor and a path, looks at one token at a time, and allocates nothing for a length that
 * it has not verified against the bytes left.
 *
 * It is a full reader, exactly as strict as the fast ones; the tests hold the two against each other.
 * Should it ever accept what a fast reader refused, that is a defect of this codec.
 */
import { Option, Result } from "effect"
import { maximumNesting } from "./Limits.ts"
import { malformed, MalformedMessage } from "./MalformedMessage.ts"
import { type Token, tokenOf } from "./Tokens.ts"
import type { Field, LiteralsShape, StructShape, UnionShape, ValueCheck, WireShape } from "./WireShape.ts"
import { passes } from "./WireShape.ts"

/** Reads one value that fills `bytes` exactly. */
export const readStrictly = (shape: WireShape, bytes: Uint8Array): Result.Result<unknown, MalformedMessage> => {
  const reader = new StrictReader(bytes)
  try {
    return Result.succeed(reader.message(shape))
  } catch (error) {
    // Thrown by `fail` below: unwinding is what an exception is for, and it goes no further than this.
    if (error instanceof MalformedMessage) return Result.fail(error)
    throw error
  }
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true })
const toUtf8 = new TextEncoder()

/** A string that the strict reader has decoded, or `undefined` when its bytes are not UTF-8. */
interface Text {
  readonly value: string | undefined
  readonly offset: number
}

class StrictReader {
  private readonly bytes: Uint8Array
  private readonly view: DataView
  private readonly path: Array<string | number> = []
  private position = 0
  private nesting = 0

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  message(shape: WireShape): unknown {
    const value = this.value(shape)
    const left = this.bytes.length - this.position
    if (left !== 0) return this.fail(this.position, `${left} bytes follow the message`)
    return value
  }

  private fail(offset: number, reason: string): never {
    throw malformed([...this.path], offset, reason)
  }

  private within<A>(step: string | number, read: () => A): A {
    this.path.push(step)
    const value = read()
    this.path.pop()
    return value
  }

  // ── values ────────────────────────────────────────────────────────────────────────────────────

  private value(shape: WireShape): unknown {
    const offset = this.position
    const value = this.unchecked(shape)
    for (const check of shape.checks) this.check(check, value, offset)
    return value
  }

  private check(check: ValueCheck, value: unknown, offset: number): void {
    if (passes(check, value)) return
    const expected = check.filter.annotations?.expected ?? check.filter.annotations?.title
    this.fail(offset, typeof expected === "string" ? `expected ${expected}` : "the value fails a check of its schema")
  }

  private unchecked(shape: WireShape): unknown {
    switch (shape.kind) {
      case "text":
        return this.text("a string")
      case "boolean":
        return this.boolean()
      case "integer":
        return this.integer(shape.minimum, shape.maximum)
      case "float":
        return this.float()
      case "bytes":
        return this.octets()
      case "literals":
        return this.literal(shape)
      case "array":
        return this.array(shape.item)
      case "struct":
        return this.struct(shape)
      case "union":
        return this.union(shape)
      case "recursive":
        return this.value(shape.resolve())
    }
  }

  private boolean(): boolean {
    const offset = this.position
    this.expect("a boolean", "a boolean")
    this.position = offset + 1
    return this.bytes[offset] === 0xc3
  }

  private integer(minimum: number, maximum: number): number {
    const offset = this.position
    this.expect("an integer", `an integer ${minimum}…${maximum}`)
    const exact = this.exactInteger()
    if (exact < minimum || exact > maximum) {
      return this.fail(offset, `${exact} is outside ${minimum}…${maximum}`)
    }
    return Number(exact)
  }

  /** Any integer form, whatever its width and sign, without rounding; the cursor moves behind it. */
  private exactInteger(): number | bigint {
    const offset = this.position
    const token = this.token()
    this.need(offset, token.header + (token.fixed ?? 0))
    this.position = offset + token.header + (token.fixed ?? 0)
    const first = this.view.getUint8(offset)
    switch (first) {
      case 0xcc:
        return this.view.getUint8(offset + 1)
      case 0xcd:
        return this.view.getUint16(offset + 1)
      case 0xce:
        return this.view.getUint32(offset + 1)
      case 0xcf:
        return this.view.getBigUint64(offset + 1)
      case 0xd0:
        return this.view.getInt8(offset + 1)
      case 0xd1:
        return this.view.getInt16(offset + 1)
      case 0xd2:
        return this.view.getInt32(offset + 1)
      case 0xd3:
        return this.view.getBigInt64(offset + 1)
      default:
        return first < 0x80 ? first : first - 0x100
    }
  }

  /** A float, or an integer as any decoder of a float takes it. */
  private float(): number {
    const offset = this.position
    const token = this.token()
    if (token.kind === "an integer") return Number(this.exactInteger())
    this.expect("a float", "a number")
    this.need(offset, token.header + (token.fixed ?? 0))
    this.position = offset + token.header + (token.fixed ?? 0)
    return token.fixed === 4 ? this.view.getFloat32(offset + 1) : this.view.getFloat64(offset + 1)
  }

  private text(wanted: string): string {
    const { value, offset } = this.rawText(wanted)
    return value ?? this.fail(offset, "the string is not valid UTF-8")
  }

  private rawText(wanted: string): Text {
    const offset = this.position
    this.expect("a string", wanted)
    const end = this.payloadEnd(offset, this.token())
    const start = this.position
    this.position = end
    return { value: this.ascii(start, end) ?? this.utf8(start, end), offset }
  }

  /** A short string, which a loop reads sooner than a decoder; `undefined` when it is long or not ASCII. */
  private ascii(start: number, end: number): string | undefined {
    if (end - start > 64) return undefined
    let text = ""
    for (let i = start; i < end; i++) {
      const unit = this.bytes[i] ?? 0x80
      if (unit >= 0x80) return undefined
      text += String.fromCharCode(unit)
    }
    return text
  }

  /** A fatal decoder's exceptions would cost more than the rest of refusing a message. */
  private utf8(start: number, end: number): string | undefined {
    const bytes = this.bytes.subarray(start, end)
    const text = utf8.decode(bytes)
    // The decoder puts U+FFFD for what is no UTF-8; where it stood itself, the bytes come back.
    return text.includes("\ufffd") && !isSame(toUtf8.encode(text), bytes) ? undefined : text
  }

  private literal({ values }: LiteralsShape): string {
    const offset = this.position
    const spelled = this.text(values.length === 1 ? `the string ${quote(values[0] ?? "")}` : "a string")
    if (values.includes(spelled)) return spelled
    return this.fail(offset, `${quote(spelled)} is not one of ${values.map(quote).join(", ")}`)
  }

  /** Bytes: an array of integers, or binary data. */
  private octets(): Uint8Array {
    const offset = this.position
    const token = this.token()
    if (token.kind === "binary data") {
      const end = this.payloadEnd(offset, token)
      const bytes = new Uint8Array(this.bytes.subarray(this.position, end))
      this.position = end
      return bytes
    }
    const count = this.open("an array", "an array of integers 0…255", 1)
    const bytes = new Uint8Array(count)
    for (let i = 0; i < count; i++) {
      const octet = this.bytes[this.position]
      if (octet !== undefined && octet < 0x80) {
        bytes[i] = octet
        this.position++
      } else {
        // Without a closure for each octet: a frame has many.
        this.path.push(i)
        bytes[i] = this.integer(0, 255)
        this.path.pop()
      }
    }
    this.nesting--
    return bytes
  }

  private array(item: WireShape): ReadonlyArray<unknown> {
    const count = this.open("an array", "an array", 1)
    const items: Array<unknown> = []
    for (let i = 0; i < count; i++) items.push(this.within(i, () => this.value(item)))
    this.nesting--
    return items
  }

  // ── structs ───────────────────────────────────────────────────────────────────────────────────

  private struct(shape: StructShape): unknown {
    const start = this.position
    const found = new Map<string, unknown>()
    const pairs = this.open("a map", "a map", 2)
    for (let i = 0; i < pairs; i++) {
      const { value: name, offset } = this.rawText("a field name")
      const field = name === undefined ? undefined : shape.fields.find((field) => field.name === name)
      if (field === undefined) {
        this.within(cut(name) ?? i, () => this.skip())
      } else if (found.has(field.name)) {
        this.within(field.name, () => this.fail(offset, "the field is repeated"))
      } else {
        found.set(
          field.name,
          this.within(field.name, () => this.field(field))
        )
      }
    }
    this.nesting--
    return this.assemble(shape, found, start)
  }

  /** The field's value; `undefined` for an explicit nil where the field is optional. */
  private field({ presence, shape }: Field): unknown {
    if (presence !== "required" && this.bytes[this.position] === 0xc0) {
      this.position++
      return undefined
    }
    return this.value(shape)
  }

  private assemble({ fields }: StructShape, found: ReadonlyMap<string, unknown>, start: number): unknown {
    const struct: Record<string, unknown> = {}
    for (const { name, presence, optionChecks } of fields) {
      const value = found.get(name)
      if (presence === "option") {
        const option = Option.fromUndefinedOr(value)
        this.within(name, () => optionChecks.forEach((check) => this.check(check, option, start)))
        struct[name] = option
      } else if (value !== undefined) {
        struct[name] = value
      } else if (presence === "required") {
        this.within(name, () => this.fail(start, "the field is missing"))
      }
    }
    return struct
  }

  /** Looks for the tag, then reads the whole map again as the member that it names. */
  private union({ tag, members }: UnionShape): unknown {
    const start = this.position
    const pairs = this.open("a map", "a map", 2)
    for (let i = 0; i < pairs; i++) {
      const { value: name } = this.rawText("a field name")
      if (name === tag) {
        const offset = this.position
        const literal = this.within(tag, () => this.text("a string"))
        const member = members.get(literal)
        if (member === undefined) return this.within(tag, () => this.fail(offset, `unknown ${tag} ${quote(literal)}`))
        this.position = start
        this.nesting--
        return this.value(member)
      }
      this.within(cut(name) ?? i, () => this.skip())
    }
    return this.within(tag, () => this.fail(start, "the field is missing"))
  }

  /** Steps over a value of any kind. Its strings need not be UTF-8: nobody reads them. */
  private skip(): void {
    const offset = this.position
    const token = this.token()
    switch (token.kind) {
      case "the reserved byte 0xc1":
        return this.fail(offset, "the byte 0xc1 is reserved")
      case "an array": {
        const count = this.open("an array", "an array", 1)
        for (let i = 0; i < count; i++) this.within(i, () => this.skip())
        this.nesting--
        return
      }
      case "a map": {
        const pairs = this.open("a map", "a map", 2)
        for (let i = 0; i < pairs; i++) {
          this.within(i, () => this.skip())
          this.within(i, () => this.skip())
        }
        this.nesting--
        return
      }
      default:
        this.position = this.payloadEnd(offset, token)
    }
  }

  // ── tokens ────────────────────────────────────────────────────────────────────────────────────

  private token(): Token {
    return tokenOf(this.bytes[this.position]) ?? this.fail(this.position, "the message ends here")
  }

  private expect(kind: Token["kind"], wanted: string): void {
    const token = this.token()
    if (token.kind !== kind) this.fail(this.position, `expected ${wanted}, found ${token.kind}`)
  }

  private need(offset: number, count: number): void {
    const left = this.bytes.length - offset
    if (count > left) this.fail(offset, `${count} bytes are announced, ${left} are left`)
  }

  /** Length or count that the header at the cursor carries; the cursor moves behind the header. */
  private announced(token: Token): number {
    const offset = this.position
    this.need(offset, token.header)
    this.position = offset + token.header
    const first = this.view.getUint8(offset)
    switch (token.header) {
      case 2:
        return this.view.getUint8(offset + 1)
      case 3:
        return this.view.getUint16(offset + 1)
      case 5:
        return this.view.getUint32(offset + 1)
      default:
        return first & (token.kind === "a string" ? 0x1f : 0x0f)
    }
  }

  /** End of the value at the cursor, verified; the cursor moves to its payload. */
  private payloadEnd(offset: number, token: Token): number {
    const length = token.fixed ?? this.announced(token) + token.extra
    if (token.fixed !== undefined) this.position = offset + token.header
    this.need(offset, this.position - offset + length)
    return this.position + length
  }

  /** Enters an array or map whose items take at least `least` bytes each, and returns their number. */
  private open(kind: "an array" | "a map", wanted: string, least: number): number {
    const offset = this.position
    this.expect(kind, wanted)
    if (this.nesting >= maximumNesting) return this.fail(offset, `nested deeper than ${maximumNesting}`)
    const count = this.announced(this.token())
    const left = this.bytes.length - this.position
    if (count * least > left) this.fail(offset, `${count} items are announced, but only ${left} bytes are left`)
    this.nesting++
    return count
  }
}

/** A peer's string in an error, cut so that it cannot flood a log. */
const cut = <T extends string | undefined>(text: T): T | string =>
  text !== undefined && text.length > 40 ? `${text.slice(0, 40)}…` : text

const quote = (text: string): string => JSON.stringify(cut(text))

const isSame = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((octet, i) => octet === b[i])

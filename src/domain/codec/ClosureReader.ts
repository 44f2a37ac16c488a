/**
 * Readers composed from closures, for runtimes that forbid generated code. They walk the shape once,
 * when the codec is compiled, and accept exactly what the generated readers accept.
 *
 * A struct is read in one pass: fields in declared order as long as their names match, then, only if
 * pairs are left, in any order. Nothing is read twice, so hostile input costs no more than good input.
 */
import { Option } from "effect"
import { readBytes, readBytesView } from "./BytesReader.ts"
import { byteStringOf, encodedText, runTest, type RunTest } from "./ConstantRun.ts"
import { maximumNesting } from "./Limits.ts"
import {
  cursor,
  openArray,
  openMap,
  readFloat,
  readInteger,
  readName,
  readText,
  refused,
  skipValue
} from "./ReadPrimitives.ts"
import type { Field, LiteralsShape, StructShape, UnionShape, WireShape } from "./WireShape.ts"
import { passesAll } from "./WireShape.ts"

/**
 * Reads the value at `at` of a message that ends at `end`, inside `nesting` open containers. Returns
 * it with `cursor.position` behind it, or `refused`.
 */
export type Reader = (bytes: Uint8Array, words: DataView, at: number, end: number, nesting: number) => unknown

/** The reader of a shape. */
export const closureReader = (shape: WireShape): Reader => compose(shape, new Map())

type Known = Map<WireShape, Reader>

const compose = (shape: WireShape, known: Known): Reader => {
  const reader = known.get(shape) ?? checked(shape, unchecked(shape, known))
  known.set(shape, reader)
  return reader
}

const checked = ({ checks }: WireShape, read: Reader): Reader =>
  checks.length === 0
    ? read
    : (bytes, words, at, end, nesting) => {
        const value = read(bytes, words, at, end, nesting)
        const next = cursor.position
        if (value === refused || !passesAll(checks, value)) return refused
        // A check may have used a codec itself.
        cursor.position = next
        return value
      }

const unchecked = (shape: WireShape, known: Known): Reader => {
  switch (shape.kind) {
    case "text":
      return readText
    case "boolean":
      return readBoolean
    case "integer":
      return integerReader(shape.minimum, shape.maximum)
    case "float":
      return readFloat
    case "bytes":
      return shape.view ? readBytesView : readBytes
    case "literals":
      return literalsReader(shape)
    case "array":
      return arrayReader(compose(shape.item, known))
    case "struct":
      return structReader(shape, known)
    case "union":
      return unionReader(shape, known)
    case "recursive": {
      // Composed at the first message: the shape that contains this one is not finished yet.
      let read: Reader | undefined
      return (bytes, words, at, end, nesting) =>
        (read ??= compose(shape.resolve(), known))(bytes, words, at, end, nesting)
    }
  }
}

const readBoolean: Reader = (bytes, _, at, end) => {
  const octet = bytes[at]
  if (at >= end || (octet !== 0xc2 && octet !== 0xc3)) return refused
  cursor.position = at + 1
  return octet === 0xc3
}

const integerReader =
  (minimum: number, maximum: number): Reader =>
  (bytes, words, at, end) => {
    const integer = readInteger(bytes, words, at, end)
    return integer >= minimum && integer <= maximum ? integer : refused
  }

const literalsReader = ({ values }: LiteralsShape): Reader => {
  const spellings = new Set(values)
  const anyForm: Reader = (bytes, words, at, end) => {
    const text = readText(bytes, words, at, end)
    return text !== refused && spellings.has(text) ? text : refused
  }
  const [only, ...others] = values
  if (only === undefined || others.length > 0) return anyForm
  const run = encodedText(only)
  const isOnlyAt = runTest(run)
  return (bytes, words, at, end, nesting) => {
    if (!isOnlyAt(bytes, words, at, end)) return anyForm(bytes, words, at, end, nesting)
    cursor.position = at + run.length
    return only
  }
}

const arrayReader =
  (item: Reader): Reader =>
  (bytes, words, at, end, nesting) => {
    const count = nesting >= maximumNesting ? -1 : openArray(bytes, at, end)
    if (count < 0) return refused
    let position = cursor.position
    const items: Array<unknown> = []
    for (let i = 0; i < count; i++) {
      const value = item(bytes, words, position, end, nesting + 1)
      if (value === refused) return refused
      items.push(value)
      position = cursor.position
    }
    cursor.position = position
    return items
  }

// ── structs ─────────────────────────────────────────────────────────────────────────────────────

interface FieldReader extends Field {
  readonly index: number
  readonly nameLength: number
  readonly isNamedAt: RunTest
  readonly read: Reader
}

const fieldReader = (field: Field, index: number, known: Known): FieldReader => {
  const name = encodedText(field.name)
  return {
    ...field,
    index,
    nameLength: name.length,
    isNamedAt: runTest(name),
    read: field.presence === "required" ? compose(field.shape, known) : orNil(compose(field.shape, known))
  }
}

/** An optional field may be an explicit nil, which means that it is absent. */
const absent = null

const orNil =
  (read: Reader): Reader =>
  (bytes, words, at, end, nesting) => {
    if (bytes[at] !== 0xc0 || at >= end) return read(bytes, words, at, end, nesting)
    cursor.position = at + 1
    return absent
  }

const structReader = (shape: StructShape, known: Known): Reader => {
  const fields = shape.fields.map((field, index) => fieldReader(field, index, known))
  const byName = new Map(fields.map((field) => [byteStringOf(field.name), field]))

  /** The pairs that are left when a name came out of order: any order, unknown ones among them. */
  const anyOrder = (
    values: Array<unknown>,
    pairs: number,
    ...[bytes, words, start, end, nesting]: Parameters<Reader>
  ): boolean => {
    let at = start
    for (let i = 0; i < pairs; i++) {
      const name = readName(bytes, at, end)
      if (name === refused) return false
      at = cursor.position
      const field = byName.get(name)
      if (field === undefined) {
        at = skipValue(bytes, at, end, nesting)
        if (at < 0) return false
      } else {
        if (values[field.index] !== undefined) return false
        const value = field.read(bytes, words, at, end, nesting)
        if (value === refused) return false
        values[field.index] = value
        at = cursor.position
      }
    }
    cursor.position = at
    return true
  }

  const noValues: ReadonlyArray<unknown> = fields.map(() => undefined)
  const assemble = assembler(fields)

  return (bytes, words, at, end, nesting) => {
    let pairs = nesting >= maximumNesting ? -1 : openMap(bytes, at, end)
    if (pairs < 0) return refused
    const values = noValues.slice()
    let position = cursor.position
    for (let i = 0; i < fields.length && pairs > 0; i++) {
      const field = fields[i]
      if (field === undefined || !field.isNamedAt(bytes, words, position, end)) continue
      const value = field.read(bytes, words, position + field.nameLength, end, nesting + 1)
      if (value === refused) return refused
      values[i] = value
      position = cursor.position
      pairs--
    }
    cursor.position = position
    if (pairs > 0 && !anyOrder(values, pairs, bytes, words, position, end, nesting + 1)) return refused
    const next = cursor.position
    const struct = assemble(values)
    cursor.position = next
    return struct
  }
}

/**
 * Builds structs with their keys in declared order, or returns `refused` when a required one is missing.
 * Keys that are always there come from a copied template: filling one is cheaper than adding keys.
 */
const assembler = (fields: ReadonlyArray<FieldReader>): ((values: ReadonlyArray<unknown>) => unknown) => {
  const firstAbsent = fields.findIndex(({ presence }) => presence === "absentKey")
  const always = firstAbsent < 0 ? fields : fields.slice(0, firstAbsent)
  const template: Readonly<Record<string, unknown>> = Object.fromEntries(always.map(({ name }) => [name, undefined]))
  return (values) => {
    const struct: Record<string, unknown> = { ...template }
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i]
      const value = values[i]
      if (field === undefined) return refused
      if (field.presence === "option") {
        const option = value === undefined || value === absent ? Option.none() : Option.some(value)
        if (!passesAll(field.optionChecks, option)) return refused
        struct[field.name] = option
      } else if (value !== undefined && value !== absent) {
        struct[field.name] = value
      } else if (field.presence === "required") {
        return refused
      }
    }
    return struct
  }
}

const unionReader = ({ tag, members }: UnionShape, known: Known): Reader => {
  const tagName = byteStringOf(tag)
  const readers = new Map([...members].map(([literal, member]) => [literal, compose(member, known)]))
  return (bytes, words, at, end, nesting) => {
    const pairs = nesting >= maximumNesting ? -1 : openMap(bytes, at, end)
    let position = cursor.position
    for (let i = 0; i < pairs; i++) {
      const name = readName(bytes, position, end)
      if (name === refused) return refused
      if (name === tagName) {
        const literal = readText(bytes, words, cursor.position, end)
        const read = literal === refused ? undefined : readers.get(literal)
        return read === undefined ? refused : read(bytes, words, at, end, nesting)
      }
      position = skipValue(bytes, cursor.position, end, nesting + 1)
      if (position < 0) return refused
    }
    return refused
  }
}

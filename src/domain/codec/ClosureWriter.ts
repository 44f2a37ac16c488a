/**
 * Writers composed from closures, for runtimes that forbid generated code. They write the same bytes
 * as the generated ones: fields in declared order, absent optionals left out, everything in its
 * shortest form. Values that the schema forbids are refused, not repaired.
 */
import { Option } from "effect"
import { writeBytes } from "./BytesWriter.ts"
import { encodedText } from "./ConstantRun.ts"
import { writeText } from "./TextWriter.ts"
import type { Field, LiteralsShape, StructShape, UnionShape, WireShape } from "./WireShape.ts"
import { passesAll } from "./WireShape.ts"
import { invalid, overflow, writeBinary, writeFloat, writeHeader, writeInteger } from "./WritePrimitives.ts"

/** Writes a value at `at` and returns the next position, or `overflow` or `invalid`. */
export type Writer = (value: unknown, at: number, bytes: Uint8Array, words: DataView, capacity: number) => number

/** The writer of a shape. */
export const closureWriter = (shape: WireShape): Writer => compose(shape, new Map())

type Known = Map<WireShape, Writer>

const compose = (shape: WireShape, known: Known): Writer => {
  const writer = known.get(shape) ?? checked(shape, unchecked(shape, known))
  known.set(shape, writer)
  return writer
}

const checked = ({ checks }: WireShape, write: Writer): Writer =>
  checks.length === 0
    ? write
    : (value, at, bytes, words, capacity) => {
        const next = write(value, at, bytes, words, capacity)
        // The checks expect a value of the right type, so they come after the writer's own look at it.
        return next >= 0 && !passesAll(checks, value) ? invalid : next
      }

const unchecked = (shape: WireShape, known: Known): Writer => {
  switch (shape.kind) {
    case "text":
      return (value, at, bytes, words, capacity) =>
        typeof value === "string" ? writeText(value, at, bytes, words, capacity) : invalid
    case "boolean":
      return writeBoolean
    case "integer":
      return integerWriter(shape.minimum, shape.maximum)
    case "float":
      return (value, at, bytes, words, capacity) =>
        typeof value === "number" ? writeFloat(value, at, bytes, words, capacity) : invalid
    case "bytes": {
      const write = shape.binary ? writeBinary : writeBytes
      return (value, at, bytes, words, capacity) =>
        value instanceof Uint8Array ? write(value, at, bytes, words, capacity) : invalid
    }
    case "literals":
      return literalsWriter(shape)
    case "array":
      return arrayWriter(compose(shape.item, known))
    case "struct":
      return structWriter(shape, known)
    case "union":
      return unionWriter(shape, known)
    case "recursive": {
      let write: Writer | undefined
      return (value, at, bytes, words, capacity) =>
        (write ??= compose(shape.resolve(), known))(value, at, bytes, words, capacity)
    }
  }
}

const writeBoolean: Writer = (value, at, bytes, _, capacity) => {
  if (typeof value !== "boolean") return invalid
  if (at >= capacity) return overflow
  bytes[at] = value ? 0xc3 : 0xc2
  return at + 1
}

const integerWriter =
  (minimum: number, maximum: number): Writer =>
  (value, at, bytes, words, capacity) =>
    typeof value === "number" && Number.isInteger(value) && value >= minimum && value <= maximum
      ? writeInteger(value, at, bytes, words, capacity)
      : invalid

const literalsWriter = ({ values }: LiteralsShape): Writer => {
  const runs = new Map<unknown, Uint8Array>(values.map((value) => [value, Uint8Array.from(encodedText(value))]))
  return (value, at, bytes, _, capacity) => {
    const run = runs.get(value)
    return run === undefined ? invalid : writeRun(run, at, bytes, capacity)
  }
}

const writeRun = (run: Uint8Array, at: number, bytes: Uint8Array, capacity: number): number => {
  const length = run.length
  if (at + length > capacity) return overflow
  for (let i = 0; i < length; i++) bytes[at + i] = run[i] ?? 0
  return at + length
}

const arrayWriter =
  (item: Writer): Writer =>
  (value, at, bytes, words, capacity) => {
    if (!Array.isArray(value)) return invalid
    let position = writeHeader(value.length, 0x90, at, bytes, words, capacity)
    for (let i = 0; i < value.length && position >= 0; i++) position = item(value[i], position, bytes, words, capacity)
    return position
  }

// ── structs ─────────────────────────────────────────────────────────────────────────────────────

interface FieldWriter extends Field {
  readonly run: Uint8Array
  readonly write: Writer
}

/** What a field's writer is given, `undefined` when the field is left out, `notAnOption` when it is no `Option`. */
const notAnOption: unique symbol = Symbol("notAnOption")

const content = ({ name, presence, optionChecks }: FieldWriter, struct: object): unknown => {
  const value: unknown = Reflect.get(struct, name)
  if (presence !== "option") return value
  if (!Option.isOption(value) || !passesAll(optionChecks, value)) return notAnOption
  return Option.getOrUndefined(value)
}

const structWriter = (shape: StructShape, known: Known): Writer => {
  const fields = shape.fields.map((field): FieldWriter => ({
    ...field,
    run: Uint8Array.from(encodedText(field.name)),
    write: compose(field.shape, known)
  }))
  const optional = fields.filter(({ presence }) => presence !== "required")
  const required = fields.length - optional.length
  return (value, at, bytes, words, capacity) => {
    if (typeof value !== "object" || value === null) return invalid
    let count = required
    for (let i = 0; i < optional.length; i++) {
      const field = optional[i]
      if (field !== undefined && content(field, value) !== undefined) count++
    }
    let position = writeHeader(count, 0x80, at, bytes, words, capacity)
    for (let i = 0; i < fields.length && position >= 0; i++) {
      const field = fields[i]
      if (field === undefined) continue
      const present = content(field, value)
      if (present !== undefined) {
        position = writeRun(field.run, position, bytes, capacity)
        if (position >= 0) position = field.write(present, position, bytes, words, capacity)
      } else if (field.presence === "required") {
        return invalid
      }
    }
    return position
  }
}

const unionWriter = ({ tag, members }: UnionShape, known: Known): Writer => {
  const writers = new Map<unknown, Writer>([...members].map(([literal, member]) => [literal, compose(member, known)]))
  return (value, at, bytes, words, capacity) => {
    if (typeof value !== "object" || value === null) return invalid
    const write = writers.get(Reflect.get(value, tag))
    return write === undefined ? invalid : write(value, at, bytes, words, capacity)
  }
}

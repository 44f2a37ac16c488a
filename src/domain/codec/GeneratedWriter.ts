/**
 * Writers as generated source: the same bytes as ClosureWriter.ts writes. What is known when the codec
 * is compiled (map headers, field names, tags) is joined into runs that are stored four bytes at a
 * time, and room for all parts of fixed size is verified once.
 *
 * Fragments share some names: `at`, `bytes`, `words` and `capacity` are as in `Writer`; a fragment
 * leaves `at` behind what it has written or returns `overflow` or `invalid`.
 */
import { Option } from "effect"
import { writeBytes } from "./BytesWriter.ts"
import type { Writer } from "./ClosureWriter.ts"
import { generate } from "./CodeGeneration.ts"
import { encodedText, wordAt, wordStarts } from "./ConstantRun.ts"
import { writeText } from "./TextWriter.ts"
import type { ArrayShape, Field, StructShape, UnionShape, ValueCheck, WireShape } from "./WireShape.ts"
import { passesAll } from "./WireShape.ts"
import {
  invalid,
  longestToken,
  overflow,
  writeBinary,
  writeFloat,
  writeHeader,
  writeInteger,
  writeNatural
} from "./WritePrimitives.ts"

/** The writer of a shape. Throws where code generation is forbidden. */
export const generatedWriter = (shape: WireShape): Writer => {
  const source = new WriterSource()
  const entry = source.functionFor(shape)
  const parameters = { ...primitives, constants: source.constants }
  // The functions below have the signature of a Writer.
  return generate(parameters, `${source.functions.join("\n")}\nreturn ${entry}`) as Writer
}

const primitives = {
  invalid,
  overflow,
  isOption: Option.isOption,
  passesAll,
  writeBinary,
  writeBytes,
  writeFloat,
  writeHeader,
  writeInteger,
  writeNatural,
  writeText
}

const target = "at, bytes, words, capacity"

class WriterSource {
  readonly functions: Array<string> = []
  readonly constants: Array<unknown> = []
  private readonly names = new Map<WireShape, string>()

  /** Name of the function that writes a shape; generated when it is asked for first. */
  functionFor(shape: WireShape): string {
    const known = this.names.get(shape)
    if (known !== undefined) return known
    const name = `write${this.names.size}`
    this.names.set(shape, name)
    this.functions.push(`function ${name}(value, ${target}) {\n${this.body(shape)}\n}`)
    return name
  }

  private constant(value: unknown): string {
    return `constants[${this.constants.push(value) - 1}]`
  }

  private checks(checks: ReadonlyArray<ValueCheck>, value: string): string {
    return checks.length === 0 ? "" : `if (!passesAll(${this.constant(checks)}, ${value})) return invalid`
  }

  private body(shape: WireShape): string {
    switch (shape.kind) {
      case "array":
        return this.arrayBody(shape)
      case "struct":
        return this.structBody(shape)
      case "union":
        return this.unionBody(shape)
      case "recursive":
        return `at = ${this.functionFor(shape.resolve())}(value, ${target})
          ${this.checks(shape.checks, "value")}
          return at`
      default: {
        const parts = new Parts()
        this.write(shape, "value", parts)
        return `${parts.source()}\nreturn at`
      }
    }
  }

  /** Adds the parts that write the variable `value` as the shape says. */
  private write(shape: WireShape, value: string, parts: Parts): void {
    switch (shape.kind) {
      case "text":
        parts.variable(`if (typeof ${value} !== "string") return invalid
          ${this.checks(shape.checks, value)}
          ${called("writeText", value)}`)
        return
      case "boolean":
        parts.fixed(
          1,
          `if (${value} !== true && ${value} !== false) return invalid
          ${this.checks(shape.checks, value)}
          bytes[at++] = ${value} ? 0xc3 : 0xc2`
        )
        return
      case "integer":
        parts.fixed(
          longestToken,
          `if (${isNoInteger(value, shape.minimum, shape.maximum)}) return invalid
          ${this.checks(shape.checks, value)}
          ${storeInteger(value, shape.minimum)}`
        )
        return
      case "float":
        parts.fixed(
          longestToken,
          `if (typeof ${value} !== "number") return invalid
          ${this.checks(shape.checks, value)}
          ${called("writeFloat", value)}`
        )
        return
      case "bytes":
        parts.variable(`if (!(${value} instanceof Uint8Array)) return invalid
          ${this.checks(shape.checks, value)}
          ${called(shape.binary ? "writeBinary" : "writeBytes", value)}`)
        return
      case "literals":
        this.writeLiteral(shape.values, value, parts)
        if (shape.checks.length > 0) parts.fixed(0, this.checks(shape.checks, value))
        return
      default:
        parts.variable(called(this.functionFor(shape), value))
    }
  }

  private writeLiteral(values: ReadonlyArray<string>, value: string, parts: Parts): void {
    const [only, ...others] = values
    if (only !== undefined && others.length === 0) {
      parts.fixed(0, `if (${value} !== ${JSON.stringify(only)}) return invalid`)
      parts.run(encodedText(only))
      return
    }
    const runs = values.map((spelling) => [spelling, encodedText(spelling)] as const)
    const cases = runs.map(([spelling, run]) => `case ${JSON.stringify(spelling)}: ${storeRun(run)}\nbreak`)
    const longest = Math.max(0, ...runs.map(([, run]) => run.length))
    parts.fixed(longest, `switch (${value}) { ${cases.join("\n")}\ndefault: return invalid }`)
  }

  private arrayBody({ item, checks }: ArrayShape): string {
    const parts = new Parts()
    this.write(item, "item", parts)
    return `if (!Array.isArray(value)) return invalid
      ${this.checks(checks, "value")}
      const count = value.length
      at = writeHeader(count, 0x90, ${target})
      if (at < 0) return at
      for (let i = 0; i < count; i++) {
        const item = value[i]
        ${parts.source()}
      }
      return at`
  }

  private structBody({ fields, checks }: StructShape): string {
    const parts = new Parts()
    this.writeMapHeader(fields, parts)
    fields.forEach((field, i) => this.writeField(field, `v${i}`, parts))
    const contents = fields.map((field, i) => this.content(field, `v${i}`))
    return `if (typeof value !== "object" || value === null) return invalid
      ${contents.join("\n")}
      ${parts.source()}
      ${this.checks(checks, "value")}
      return at`
  }

  /** Declares a variable with what the field carries; `undefined` when it is left out. */
  private content({ name, presence, optionChecks }: Field, variable: string): string {
    const property = `value[${JSON.stringify(name)}]`
    if (presence !== "option") return `const ${variable} = ${property}`
    return `let ${variable} = ${property}
      if (!isOption(${variable})) return invalid
      ${this.checks(optionChecks, variable)}
      ${variable} = ${variable}._tag === "Some" ? ${variable}.value : undefined`
  }

  private writeMapHeader(fields: ReadonlyArray<Field>, parts: Parts): void {
    const required = fields.filter(({ presence }) => presence === "required").length
    if (required === fields.length && required < 16) {
      parts.run([0x80 | required])
      return
    }
    const optional = fields.flatMap(({ presence }, i) =>
      presence === "required" ? [] : [`(v${i} === undefined ? 0 : 1)`]
    )
    const count = [`${required}`, ...optional].join(" + ")
    if (fields.length < 16) parts.fixed(1, `bytes[at++] = 0x80 | (${count})`)
    else parts.variable(`at = writeHeader(${count}, 0x80, ${target})\nif (at < 0) return at`)
  }

  private writeField({ name, presence, shape }: Field, variable: string, parts: Parts): void {
    if (presence === "required") {
      parts.run(encodedText(name))
      this.write(shape, variable, parts)
      return
    }
    const optional = new Parts()
    optional.run(encodedText(name))
    this.write(shape, variable, optional)
    parts.variable(`if (${variable} !== undefined) {\n${optional.source()}\n}`)
  }

  private unionBody({ tag, members, checks }: UnionShape): string {
    const cases = [...members].map(
      ([literal, member]) => `case ${JSON.stringify(literal)}: return ${this.functionFor(member)}(value, ${target})`
    )
    return `if (typeof value !== "object" || value === null) return invalid
      ${this.checks(checks, "value")}
      switch (value[${JSON.stringify(tag)}]) { ${cases.join("\n")} }
      return invalid`
  }
}

/**
 * The parts of a value in order. Neighbouring constant bytes are joined, and before each stretch of
 * parts of known size stands one test for the room that all of them need at most.
 */
class Parts {
  private readonly finished: Array<string> = []
  private stretch: Array<string> = []
  private room = 0
  private constants: Array<number> = []

  /** Bytes known now. */
  run(bytes: ReadonlyArray<number>): void {
    this.constants.push(...bytes)
    this.room += bytes.length
  }

  /** Statements that write at most `room` bytes. */
  fixed(room: number, statements: string): void {
    this.flush()
    this.stretch.push(statements)
    this.room += room
  }

  /** Statements that verify their room themselves. */
  variable(statements: string): void {
    this.close()
    this.finished.push(statements)
  }

  source(): string {
    this.close()
    return this.finished.join("\n")
  }

  private flush(): void {
    if (this.constants.length > 0) this.stretch.push(storeRun(this.constants))
    this.constants = []
  }

  private close(): void {
    this.flush()
    if (this.room > 0) this.finished.push(`if (at + ${this.room} > capacity) return overflow`)
    this.finished.push(...this.stretch)
    this.stretch = []
    this.room = 0
  }
}

// ── fragments ───────────────────────────────────────────────────────────────────────────────────

const called = (name: string, value: string): string => `at = ${name}(${value}, ${target})
  if (at < 0) return at`

const storeRun = (run: ReadonlyArray<number>): string => {
  const stores =
    run.length < 4
      ? run.map((octet, i) => `bytes[at + ${i}] = ${octet}`)
      : wordStarts(run.length).map((start) => `words.setInt32(at + ${start}, ${wordAt(run, start)}, true)`)
  return [...stores, `at += ${run.length}`].join("\n")
}

/** An expression: is this no integer of the range? Unsigned 32-bit ranges have a shorter test. */
const isNoInteger = (value: string, minimum: number, maximum: number): string =>
  minimum === 0 && maximum <= 0xffff_ffff
    ? `${value} >>> 0 !== ${value} || ${value} > ${maximum}`
    : `typeof ${value} !== "number" || !(${value} >= ${minimum} && ${value} <= ${maximum}) || Math.floor(${value}) !== ${value}`

const storeInteger = (value: string, minimum: number): string =>
  minimum < 0
    ? called("writeInteger", value)
    : `if (${value} < 0x80) bytes[at++] = ${value}\nelse at = writeNatural(${value}, at, bytes, words)`

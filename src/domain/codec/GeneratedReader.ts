/**
 * Readers as generated source: the same algorithm as ClosureReader.ts, unrolled for one shape. Names
 * and literals become word comparisons, values stay in local variables, and a struct is built by one
 * object literal.
 *
 * Each struct, array, union and recursion becomes a function; scalars are spelled out in place. The
 * fragments share some names: `bytes`, `words`, `at`, `end` and `nesting` are as in `Reader`, and
 * every fragment leaves `at` behind what it has read or returns `refused`.
 */
import { Option } from "effect"
import { readBytes, readBytesView } from "./BytesReader.ts"
import type { Reader } from "./ClosureReader.ts"
import { generate } from "./CodeGeneration.ts"
import { byteStringOf, encodedText } from "./ConstantRun.ts"
import { maximumNesting, maximumPresizedItems } from "./Limits.ts"
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
import {
  declaration,
  groupByFirst,
  integerFragment,
  isRunAt,
  openStruct,
  tagOf,
  textFragment
} from "./ReaderFragments.ts"
import { textFrom } from "./TextReader.ts"
import type { ArrayShape, Field, StructShape, UnionShape, ValueCheck, WireShape } from "./WireShape.ts"
import { passesAll } from "./WireShape.ts"

/** The reader of a shape. Throws where code generation is forbidden. */
export const generatedReader = (shape: WireShape): Reader => {
  const source = new ReaderSource()
  const entry = source.functionFor(shape)
  const parameters = { ...primitives, constants: source.constants }
  // The functions below have the signature of a Reader.
  return generate(parameters, `${source.functions.join("\n")}\nreturn ${entry}`) as Reader
}

const primitives = {
  cursor,
  openArray,
  openMap,
  readBytes,
  readBytesView,
  readFloat,
  readInteger,
  readName,
  readText,
  refused,
  skipValue,
  textFrom,
  passesAll,
  none: Option.none(),
  some: Option.some
}

const signature = "bytes, words, at, end, nesting"

class ReaderSource {
  readonly functions: Array<string> = []
  readonly constants: Array<unknown> = []
  private readonly names = new Map<WireShape, string>()

  /** Name of the function that reads a shape; generated when it is asked for first. */
  functionFor(shape: WireShape): string {
    const known = this.names.get(shape)
    if (known !== undefined) return known
    const name = `read${this.names.size}`
    this.names.set(shape, name)
    this.functions.push(`function ${name}(${signature}) {\n${this.body(shape, name)}\n}`)
    return name
  }

  private constant(value: unknown): string {
    return `constants[${this.constants.push(value) - 1}]`
  }

  private body(shape: WireShape, name: string): string {
    switch (shape.kind) {
      case "array":
        return this.arrayBody(shape)
      case "struct":
        return this.structBody(shape, name)
      case "union":
        return this.unionBody(shape)
      case "recursive":
        return `let value\n${this.call(this.functionFor(shape.resolve()), "value")}
          ${this.checks(shape.checks, "value")}\ncursor.position = at\nreturn value`
      default:
        return `let value\n${this.read(shape, "value", "nesting")}\ncursor.position = at\nreturn value`
    }
  }

  private checks(checks: ReadonlyArray<ValueCheck>, target: string): string {
    return checks.length === 0 ? "" : `if (!passesAll(${this.constant(checks)}, ${target})) return refused`
  }

  // ── values in place ───────────────────────────────────────────────────────────────────────────

  /** Statements that read a shape into the variable `target`. */
  private read(shape: WireShape, target: string, nesting: string): string {
    switch (shape.kind) {
      case "struct":
      case "array":
      case "union":
      case "recursive":
        return this.call(this.functionFor(shape), target, nesting)
      default:
        return `${this.scalar(shape, target, nesting)}\n${this.checks(shape.checks, target)}`
    }
  }

  private scalar(
    shape: Exclude<WireShape, { readonly kind: "struct" | "array" | "union" | "recursive" }>,
    target: string,
    nesting: string
  ): string {
    switch (shape.kind) {
      case "text":
        return textFragment(target)
      case "boolean":
        return `${target} = bytes[at] === 0xc3
          if (!${target} && bytes[at] !== 0xc2) return refused
          at++`
      case "integer":
        return integerFragment(target, shape.minimum, shape.maximum)
      case "float":
        return this.call("readFloat", target)
      case "bytes":
        return this.call(shape.view ? "readBytesView" : "readBytes", target, nesting)
      case "literals":
        return this.literals(shape.values, target)
    }
  }

  private call(name: string, target: string, nesting = "nesting"): string {
    return `${target} = ${name}(bytes, words, at, end, ${nesting})
      if (${target} === refused) return refused
      at = cursor.position`
  }

  /** Spellings in their shortest form by comparison; otherwise as any string. */
  private literals(values: ReadonlyArray<string>, target: string): string {
    const cases = groupByFirst(values.map((value) => [value, encodedText(value)] as const)).map(
      ([first, spellings]) =>
        `case ${first}: ${spellings
          .map(
            ([value, run]) => `if (${isRunAt(run, "at")}) {
          ${target} = ${JSON.stringify(value)}
          at += ${run.length}
          break literal
        }`
          )
          .join("\n")}`
    )
    return `literal: {
      switch (bytes[at]) { ${cases.join("\nbreak\n")} }
      ${this.call("readText", target)}
      if (!${this.constant(new Set(values))}.has(${target})) return refused
    }`
  }

  // ── containers ────────────────────────────────────────────────────────────────────────────────

  private arrayBody({ item, checks }: ArrayShape): string {
    return `const count = nesting >= ${maximumNesting} ? -1 : openArray(bytes, at, end)
      if (count < 0) return refused
      at = cursor.position
      const items = count > 32 && count <= ${maximumPresizedItems} ? new Array(count) : []
      for (let i = 0; i < count; i++) {
        let item
        ${this.read(item, "item", "nesting + 1")}
        items[i] = item
      }
      ${this.checks(checks, "items")}
      cursor.position = at
      return items`
  }

  /**
   * Fields in declared order while their names match; pairs that are left then go to a function of
   * their own. A struct that starts with a tag has a second entry behind it, for the unions.
   */
  private structBody(shape: StructShape, name: string): string {
    const values = shape.fields.map((_, i) => `v${i}`)
    const tag = tagOf(shape)
    this.functions.push(this.anyOrderFunction(shape, values, name))
    if (tag === undefined) return `${openStruct}\n${declaration(values)}\n${this.inOrder(shape, 0, values, name)}`
    this.functions.push(`function ${name}AfterTag(${signature}, pairs) {
      ${declaration(values)}
      v0 = ${JSON.stringify(tag.literal)}
      ${this.inOrder(shape, 1, values, name)}
    }`)
    const noValues = values.map(() => "undefined")
    return `${openStruct}
      if (pairs > 0 && ${isRunAt(tag.run, "at")}) {
        return ${name}AfterTag(bytes, words, at + ${tag.run.length}, end, nesting, pairs - 1)
      }
      return ${name}AnyOrder(${[signature, "pairs", ...noValues].join(", ")})`
  }

  /** Reads the fields from index `first` on, and builds the struct. */
  private inOrder(shape: StructShape, first: number, values: ReadonlyArray<string>, name: string): string {
    const fields = shape.fields.map((field, i) => {
      const run = encodedText(field.name)
      return `if (pairs > 0 && ${isRunAt(run, "at")}) {
        at += ${run.length}
        pairs--
        ${this.field(field, `v${i}`)}
      }`
    })
    return `${fields.slice(first).join("\n")}
      if (pairs > 0) return ${name}AnyOrder(${[signature, "pairs", ...values].join(", ")})
      ${this.build(shape)}`
  }

  private anyOrderFunction(shape: StructShape, values: ReadonlyArray<string>, name: string): string {
    const cases = shape.fields.map(
      (field, i) => `case ${JSON.stringify(byteStringOf(field.name))}:
        if (v${i} !== undefined) return refused
        ${this.field(field, `v${i}`)}
        break`
    )
    return `function ${name}AnyOrder(${[signature, "pairs", ...values].join(", ")}) {
      for (; pairs > 0; pairs--) {
        const name = readName(bytes, at, end)
        if (name === refused) return refused
        at = cursor.position
        switch (name) {
          ${cases.join("\n")}
          default:
            at = skipValue(bytes, at, end, nesting + 1)
            if (at < 0) return refused
        }
      }
      ${this.build(shape)}
    }`
  }

  /** A field's value; null stands for an explicit nil where the field is optional. */
  private field({ presence, shape }: Field, target: string): string {
    const read = this.read(shape, target, "nesting + 1")
    return presence === "required"
      ? read
      : `if (bytes[at] === 0xc0) {
          ${target} = null
          at++
        } else {
          ${read}
        }`
  }

  /** Builds the struct from the variables v0, v1, …: its keys in declared order, absent ones left out. */
  private build({ fields, checks }: StructShape): string {
    const missing = fields.flatMap(({ presence }, i) => (presence === "required" ? [`v${i} === undefined`] : []))
    const options = fields.map(({ presence, optionChecks }, i) =>
      presence === "option"
        ? `v${i} = v${i} === undefined || v${i} === null ? none : some(v${i})\n${this.checks(optionChecks, `v${i}`)}`
        : ""
    )
    const firstAbsent = fields.findIndex(({ presence }) => presence === "absentKey")
    const always = firstAbsent < 0 ? fields.length : firstAbsent
    const keys = fields.slice(0, always).map(({ name }, i) => `${JSON.stringify(name)}: v${i}`)
    const later = fields.slice(always).map(({ name, presence }, k) => {
      const variable = `v${always + k}`
      const assign = `struct[${JSON.stringify(name)}] = ${variable}`
      return presence === "absentKey" ? `if (${variable} !== undefined && ${variable} !== null) ${assign}` : assign
    })
    return `${missing.length === 0 ? "" : `if (${missing.join(" || ")}) return refused`}
      ${options.join("\n")}
      const struct = { ${keys.join(", ")} }
      ${later.join("\n")}
      ${this.checks(checks, "struct")}
      cursor.position = at
      return struct`
  }

  /** Usually the tag comes first, in its shortest form; otherwise it is looked for. */
  private unionBody({ tag, members, checks }: UnionShape): string {
    if (checks.length !== 0) return this.checkedUnion({ kind: "union", tag, members, checks: [] }, checks)
    const name = encodedText(tag)
    const readers = [...members].map(([literal, member]) => {
      const read = this.functionFor(member)
      return [read, encodedText(literal), literal, tagOf(member)?.name === tag] as const
    })
    const position = "bytes, words, at, end, nesting"
    const cases = groupByFirst(readers).map(
      ([first, group]) => `case ${first}:
      ${group
        .map(
          ([read, run, , isFirst]) =>
            `if (${isRunAt(run, "tagAt")}) return ${
              isFirst
                ? `${read}AfterTag(bytes, words, tagAt + ${run.length}, end, nesting, bytes[at] - 0x81)`
                : `${read}(${position})`
            }`
        )
        .join("\n")}
      break`
    )
    return `if (bytes[at] > 0x80 && bytes[at] < 0x90 && nesting < ${maximumNesting} && ${isRunAt(name, "(at + 1)")}) {
        const tagAt = at + ${1 + name.length}
        switch (bytes[tagAt]) { ${cases.join("\n")} }
      }
      const pairs = nesting >= ${maximumNesting} ? -1 : openMap(bytes, at, end)
      let position = cursor.position
      for (let i = 0; i < pairs; i++) {
        const name = readName(bytes, position, end)
        if (name === refused) return refused
        if (name === ${JSON.stringify(byteStringOf(tag))}) {
          switch (readText(bytes, words, cursor.position, end)) {
            ${readers.map(([read, , literal]) => `case ${JSON.stringify(literal)}: return ${read}(${position})`).join("\n")}
          }
          return refused
        }
        position = skipValue(bytes, cursor.position, end, nesting + 1)
        if (position < 0) return refused
      }
      return refused`
  }

  private checkedUnion(unchecked: UnionShape, checks: ReadonlyArray<ValueCheck>): string {
    return `let value
      ${this.call(this.functionFor(unchecked), "value")}
      ${this.checks(checks, "value")}
      cursor.position = at
      return value`
  }
}

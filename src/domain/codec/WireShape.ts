/**
 * What a schema looks like on the wire: the small intermediate form between a Schema's AST and the
 * readers and writers. It keeps what bytes depend on (order of fields, integer ranges, byte fields,
 * which optionals become `Option`) and the checks that the bytes do not imply.
 *
 * A schema that cannot be derived is refused when its codec is compiled, never at a message.
 */
import { SchemaAST } from "effect"
import { isWellFormed } from "../model/Scalars.ts"
import { maximumNameBytes } from "./Limits.ts"

/** A check of the schema that the representation does not imply: run on every value, both ways. */
export interface ValueCheck {
  readonly ast: SchemaAST.AST
  readonly filter: SchemaAST.Filter<unknown>
}

interface Checked {
  readonly checks: ReadonlyArray<ValueCheck>
}

export interface TextShape extends Checked {
  readonly kind: "text"
}
export interface BooleanShape extends Checked {
  readonly kind: "boolean"
}
/** Integers `minimum`…`maximum`, both safe and inclusive. */
export interface IntegerShape extends Checked {
  readonly kind: "integer"
  readonly minimum: number
  readonly maximum: number
}
export interface FloatShape extends Checked {
  readonly kind: "float"
}
export interface BytesShape extends Checked {
  readonly kind: "bytes"
  /** Written as `bin`, for Squadron's own payloads; else as the reference wants it, an array of integers. */
  readonly binary: boolean
  /** Read from `bin` as a view of the message; else always as a copy. */
  readonly view: boolean
}
/** One of these spellings. */
export interface LiteralsShape extends Checked {
  readonly kind: "literals"
  readonly values: ReadonlyArray<string>
}
export interface ArrayShape extends Checked {
  readonly kind: "array"
  readonly item: WireShape
}
/** How a field behaves when it is missing on the wire. */
export type Presence = "required" | "absentKey" | "option"
export interface Field {
  readonly name: string
  readonly presence: Presence
  readonly shape: WireShape
  /** Checks on the `Option` itself; those on its content stand in `shape`. */
  readonly optionChecks: ReadonlyArray<ValueCheck>
}
export interface StructShape extends Checked {
  readonly kind: "struct"
  /** In wire order. */
  readonly fields: ReadonlyArray<Field>
}
/** Structs told apart by the literal in their field `tag`. */
export interface UnionShape extends Checked {
  readonly kind: "union"
  readonly tag: string
  readonly members: ReadonlyMap<string, StructShape>
}
/** A shape that contains itself. */
export interface RecursiveShape extends Checked {
  readonly kind: "recursive"
  readonly resolve: () => WireShape
}

export type WireShape =
  | TextShape
  | BooleanShape
  | IntegerShape
  | FloatShape
  | BytesShape
  | LiteralsShape
  | ArrayShape
  | StructShape
  | UnionShape
  | RecursiveShape

const utf8 = new TextEncoder()

/** A schema from which no codec can be derived: thrown as a defect when the codec is compiled. */
export class UnsupportedSchema extends Error {
  override readonly name = "UnsupportedSchema"
}

const unsupported = (ast: SchemaAST.AST, why: string): never => {
  throw new UnsupportedSchema(`No MessagePack codec can be derived from a schema of kind ${ast._tag}: ${why}`)
}

/** How byte fields are written: as their schema says, or all of them as `bin`. */
export type ByteForm = "asDeclared" | "bin"

/** The shape of a schema's AST. Equal nodes share one shape, so that they share readers and writers. */
export const wireShape = (ast: SchemaAST.AST, byteForm: ByteForm = "asDeclared", byteViews = false): WireShape =>
  new Derivation(byteForm, byteViews).shape(ast)

class Derivation {
  private readonly known = new Map<SchemaAST.AST, WireShape>()
  private readonly byteForm: ByteForm
  private readonly byteViews: boolean

  constructor(byteForm: ByteForm, byteViews: boolean) {
    this.byteForm = byteForm
    this.byteViews = byteViews
  }

  shape(ast: SchemaAST.AST): WireShape {
    const known = this.known.get(ast)
    if (known !== undefined) return known
    const shape = this.derive(ast)
    this.known.set(ast, shape)
    return shape
  }

  private derive(ast: SchemaAST.AST): WireShape {
    const bytes = bytesForm(ast)
    if (bytes !== undefined) return bytesShape(ast, bytes === "bin" || this.byteForm === "bin", this.byteViews)
    if (ast.encoding !== undefined) return unsupported(ast, "it is a transformation that has no wire form")
    switch (ast._tag) {
      case "String":
        return { kind: "text", checks: checksOf(ast) }
      case "Boolean":
        return { kind: "boolean", checks: checksOf(ast) }
      case "Number":
        return numberShape(ast)
      case "Literal":
        return { kind: "literals", values: [spelling(ast)], checks: [] }
      case "Union":
        return ast.types.every(SchemaAST.isLiteral)
          ? { kind: "literals", values: ast.types.map(spelling), checks: checksOf(ast) }
          : this.union(ast)
      case "Arrays":
        return this.array(ast)
      case "Objects":
        return this.struct(ast)
      case "Suspend":
        return this.recursive(ast)
      default:
        return unsupported(ast, "the wire has no form for it")
    }
  }

  private array(ast: SchemaAST.Arrays): WireShape {
    const item = ast.rest[0]
    if (item === undefined || ast.rest.length !== 1 || ast.elements.length !== 0) {
      return unsupported(ast, "only arrays of one element type have a wire form")
    }
    return { kind: "array", item: this.shape(item), checks: checksOf(ast) }
  }

  private struct(ast: SchemaAST.Objects): StructShape {
    if (ast.indexSignatures.length !== 0) return unsupported(ast, "records have no wire form")
    return {
      kind: "struct",
      fields: ast.propertySignatures.map((property) => this.field(property)),
      checks: checksOf(ast)
    }
  }

  private field(property: SchemaAST.PropertySignature): Field {
    const { name, type } = property
    if (typeof name !== "string" || name === "__proto__" || utf8.encode(name).length > maximumNameBytes) {
      return unsupported(type, `its field name is not a string of at most ${maximumNameBytes} bytes, or is __proto__`)
    }
    const content = optionContent(type)
    if (content !== undefined) {
      return { name, presence: "option", shape: this.shape(content), optionChecks: checksOf(type) }
    }
    const presence = SchemaAST.isOptional(type) ? "absentKey" : "required"
    return { name, presence, shape: this.shape(type), optionChecks: [] }
  }

  private union(ast: SchemaAST.Union): WireShape {
    const structs = ast.types.map((type) => {
      const shape = this.shape(type)
      return shape.kind === "struct" ? shape : unsupported(type, "only unions of tagged structs have a wire form")
    })
    for (const { name } of structs[0]?.fields ?? []) {
      const members = membersBy(name, structs)
      if (members !== undefined) return { kind: "union", tag: name, members, checks: checksOf(ast) }
    }
    return unsupported(ast, "no field tells its members apart")
  }

  private recursive(ast: SchemaAST.Suspend): WireShape {
    let resolved: WireShape | undefined
    return { kind: "recursive", resolve: () => (resolved ??= this.shape(ast.thunk())), checks: checksOf(ast) }
  }
}

/** The members by the literal in their field `tag`, or `undefined` when it does not tell them apart. */
const membersBy = (tag: string, structs: ReadonlyArray<StructShape>): Map<string, StructShape> | undefined => {
  const members = new Map<string, StructShape>()
  for (const struct of structs) {
    const field = struct.fields.find(({ name }) => name === tag)
    if (field === undefined || field.presence !== "required" || field.shape.kind !== "literals") return undefined
    const [literal, ...others] = field.shape.values
    if (literal === undefined || others.length !== 0 || members.has(literal)) return undefined
    members.set(literal, struct)
  }
  return members
}

const spelling = (ast: SchemaAST.Literal): string =>
  typeof ast.literal === "string" && ast.encoding === undefined && ast.checks === undefined
    ? ast.literal
    : unsupported(ast, "only plain strings are literals on the wire")

/** Annotated before or after checks were added: Effect looks the two up in different places. */
const bytesForm = (ast: SchemaAST.AST): unknown => SchemaAST.resolveAt<string>("wire")(ast) ?? ast.annotations?.["wire"]

const bytesShape = (ast: SchemaAST.AST, binary: boolean, view: boolean): WireShape => {
  const octets = ast.encoding?.[0]?.to
  const plain =
    octets !== undefined && SchemaAST.isArrays(octets) && octets.encoding === undefined && octets.checks === undefined
  return plain
    ? { kind: "bytes", binary, view, checks: checksOf(ast) }
    : unsupported(ast, "`wire` wants an array of integers")
}

/** What an `OptionFromOptionalKey` holds, or `undefined` when the field is none. */
const optionContent = (ast: SchemaAST.AST): SchemaAST.AST | undefined => {
  const encoded = ast.encoding?.[0]?.to
  const isOption = SchemaAST.isDeclaration(ast) && representation(ast.annotations).id === "effect/schema/Option"
  return isOption && ast.encoding?.length === 1 && encoded !== undefined && SchemaAST.isOptional(encoded)
    ? encoded
    : undefined
}

/** An integer when the schema says so, with the range that its checks leave; else a float. */
const numberShape = (ast: SchemaAST.Number): WireShape => {
  let minimum = Number.MIN_SAFE_INTEGER
  let maximum = Number.MAX_SAFE_INTEGER
  let isInteger = false
  const others = checksOf(ast).filter(({ filter }) => {
    const { id, payload } = representation(filter.annotations)
    if (id === "effect/schema/isInt") {
      isInteger = true
      return false
    }
    if (id !== "effect/schema/isBetween" || !isInclusiveRange(payload)) return true
    minimum = Math.max(minimum, Math.ceil(payload.minimum))
    maximum = Math.min(maximum, Math.floor(payload.maximum))
    return false
  })
  return isInteger ? { kind: "integer", minimum, maximum, checks: others } : { kind: "float", checks: checksOf(ast) }
}

interface Range {
  readonly minimum: number
  readonly maximum: number
}

const isInclusiveRange = (payload: unknown): payload is Range =>
  typeof payload === "object" &&
  payload !== null &&
  "minimum" in payload &&
  "maximum" in payload &&
  typeof payload.minimum === "number" &&
  typeof payload.maximum === "number" &&
  !("exclusiveMinimum" in payload) &&
  !("exclusiveMaximum" in payload)

/** How Effect's own checks and declarations describe themselves. */
const representation = (annotations: object | undefined): { readonly id: unknown; readonly payload: unknown } => {
  const described =
    annotations !== undefined && "representation" in annotations ? annotations.representation : undefined
  return typeof described === "object" && described !== null && "id" in described
    ? { id: described.id, payload: "payload" in described ? described.payload : undefined }
    : { id: undefined, payload: undefined }
}

/** All checks of a node, flat, without the one that UTF-8 implies. */
const checksOf = (ast: SchemaAST.AST): ReadonlyArray<ValueCheck> => {
  const flatten = (checks: ReadonlyArray<SchemaAST.Check<unknown>>): ReadonlyArray<SchemaAST.Filter<unknown>> =>
    checks.flatMap((check) => (check._tag === "FilterGroup" ? flatten(check.checks) : [check]))
  return flatten(ast.checks ?? [])
    .filter((filter) => filter.run !== isWellFormed.run)
    .map((filter) => ({ ast, filter }))
}

const parseOptions: SchemaAST.ParseOptions = {}

/** Whether a value passes a check that is not implied by its representation. */
export const passes = (check: ValueCheck, value: unknown): boolean =>
  check.filter.run(value, check.ast, parseOptions) === undefined

/** Whether it passes all of them. */
export const passesAll = (checks: ReadonlyArray<ValueCheck>, value: unknown): boolean => {
  for (const check of checks) if (!passes(check, value)) return false
  return true
}

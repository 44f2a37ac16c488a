/**
 * Says why a writer refused a value: walks the shape and the value together to the first place where
 * the schema forbids it. Runs only before a defect is thrown.
 */
import { Option } from "effect"
import { UnencodableValue } from "./UnencodableValue.ts"
import type { Field, ValueCheck, WireShape } from "./WireShape.ts"
import { passes } from "./WireShape.ts"

type Path = ReadonlyArray<string | number>

/** The first forbidden place in a value, or `undefined` when the schema allows all of it. */
export const findUnencodable = (shape: WireShape, value: unknown, path: Path = []): UnencodableValue | undefined =>
  wrongType(shape, value, path) ?? failedCheck(shape.checks, value, path)

const wrongType = (shape: WireShape, value: unknown, path: Path): UnencodableValue | undefined => {
  switch (shape.kind) {
    case "text":
      if (typeof value !== "string") return refusal(path, value, "expected a string")
      return value.isWellFormed() ? undefined : refusal(path, value, "the string has a lone surrogate")
    case "boolean":
      return typeof value === "boolean" ? undefined : refusal(path, value, "expected a boolean")
    case "integer": {
      const { minimum, maximum } = shape
      const fits = typeof value === "number" && Number.isInteger(value) && value >= minimum && value <= maximum
      return fits ? undefined : refusal(path, value, `expected an integer ${minimum}…${maximum}`)
    }
    case "float":
      return typeof value === "number" ? undefined : refusal(path, value, "expected a number")
    case "bytes":
      return value instanceof Uint8Array ? undefined : refusal(path, value, "expected a Uint8Array")
    case "literals":
      return shape.values.some((spelling) => spelling === value)
        ? undefined
        : refusal(path, value, `expected one of ${shape.values.map((spelling) => JSON.stringify(spelling)).join(", ")}`)
    case "array":
      if (!Array.isArray(value)) return refusal(path, value, "expected an array")
      return first(Array.from(value, (item, i) => () => findUnencodable(shape.item, item, [...path, i])))
    case "struct": {
      if (typeof value !== "object" || value === null) return refusal(path, value, "expected an object")
      return first(shape.fields.map((field) => () => inField(field, Reflect.get(value, field.name), path)))
    }
    case "union": {
      if (typeof value !== "object" || value === null) return refusal(path, value, "expected an object")
      const literal: unknown = Reflect.get(value, shape.tag)
      const member = typeof literal === "string" ? shape.members.get(literal) : undefined
      return member === undefined
        ? refusal([...path, shape.tag], literal, `no member of the union has this ${shape.tag}`)
        : findUnencodable(member, value, path)
    }
    case "recursive":
      return findUnencodable(shape.resolve(), value, path)
  }
}

const inField = (field: Field, value: unknown, struct: Path): UnencodableValue | undefined => {
  const path = [...struct, field.name]
  if (field.presence === "option") {
    if (!Option.isOption(value)) return refusal(path, value, "expected an Option")
    const failed = failedCheck(field.optionChecks, value, path)
    return failed ?? (Option.isSome(value) ? findUnencodable(field.shape, value.value, path) : undefined)
  }
  if (value === undefined)
    return field.presence === "required" ? refusal(path, value, "the field is missing") : undefined
  return findUnencodable(field.shape, value, path)
}

const failedCheck = (checks: ReadonlyArray<ValueCheck>, value: unknown, path: Path): UnencodableValue | undefined => {
  const failed = checks.find((check) => !passes(check, value))
  if (failed === undefined) return undefined
  const expected = failed.filter.annotations?.expected ?? failed.filter.annotations?.title
  return refusal(path, value, typeof expected === "string" ? `expected ${expected}` : "it fails a check of its schema")
}

const first = (searches: ReadonlyArray<() => UnencodableValue | undefined>): UnencodableValue | undefined => {
  for (const search of searches) {
    const found = search()
    if (found !== undefined) return found
  }
  return undefined
}

const refusal = (path: Path, value: unknown, reason: string): UnencodableValue =>
  new UnencodableValue({ path, value: shown(value), reason })

const shown = (value: unknown): string => {
  const text = shownFully(value)
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}

const shownFully = (value: unknown): string => {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value)
    case "number":
    case "bigint":
    case "boolean":
    case "undefined":
      return `${value}`
    case "object":
      return value === null ? "null" : Array.isArray(value) ? "an array" : "an object"
    default:
      return `a ${typeof value}`
  }
}

/**
 * Pieces of source that GeneratedReader.ts puts together. They use the names `bytes`, `words`, `at`,
 * `end` and `nesting` as a `Reader` does, and leave `at` behind what they have read.
 */
import { encodedText, wordAt, wordStarts } from "./ConstantRun.ts"
import { maximumNesting } from "./Limits.ts"
import type { StructShape } from "./WireShape.ts"

export const textFragment = (target: string): string => `{
    const first = bytes[at]
    let length = -1
    let start = at + 1
    if ((first & 0xe0) === 0xa0) length = first & 0x1f
    else if (first === 0xd9) {
      length = bytes[at + 1] | 0
      start = at + 2
    }
    if (length >= 0) {
      if (length > end - start) return refused
      ${target} = textFrom(bytes, words, start, length)
      if (${target} === undefined) return refused
      at = start + length
    } else {
      ${target} = readText(bytes, words, at, end)
      if (${target} === refused) return refused
      at = cursor.position
    }
  }`

/** The forms that encoders use for the range, then all others by the general function. */
export const integerFragment = (target: string, minimum: number, maximum: number): string => {
  const forms = [
    `if (first < 0x80) { ${target} = first; at++ }`,
    maximum > 0xff ? `if (first === 0xcd && at + 3 <= end) { ${target} = words.getUint16(at + 1); at += 3 }` : "",
    maximum > 0xffff ? `if (first === 0xce && at + 5 <= end) { ${target} = words.getUint32(at + 1); at += 5 }` : "",
    maximum > 0xffff_ffff
      ? `if (first === 0xcf && at + 9 <= end) {
          ${target} = words.getUint32(at + 1) * 4294967296 + words.getUint32(at + 5)
          at += 9
        }`
      : "",
    `{ ${target} = readInteger(bytes, words, at, end); at = cursor.position }`
  ]
  return `{
    const first = bytes[at]
    ${forms.filter((form) => form !== "").join(" else ")}
    if (!(${target} >= ${minimum} && ${target} <= ${maximum})) return refused
  }`
}

/** An expression: does this run stand at `at`? */
export const isRunAt = (run: ReadonlyArray<number>, at: string): string => {
  const within = `${at} + ${run.length} <= end`
  const tests =
    run.length < 4
      ? run.map((octet, i) => `bytes[${at} + ${i}] === ${octet}`)
      : wordStarts(run.length).map((start) => `words.getInt32(${at} + ${start}, true) === ${wordAt(run, start)}`)
  return [within, ...tests].join(" && ")
}

export const declaration = (variables: ReadonlyArray<string>): string =>
  variables.length === 0 ? "" : `let ${variables.join(", ")}`

/** Declares `pairs`, the number of fields that follow. */
export const openStruct = `if (nesting >= ${maximumNesting}) return refused
  let pairs = bytes[at] ^ 0x80
  if (pairs < 16) at++
  else {
    pairs = openMap(bytes, at, end)
    if (pairs < 0) return refused
    at = cursor.position
  }`

/** The tag that a struct starts with: a required field of one spelling, as one run with its name. */
export const tagOf = ({
  fields
}: StructShape):
  | { readonly name: string; readonly literal: string; readonly run: ReadonlyArray<number> }
  | undefined => {
  const field = fields[0]
  if (field?.shape.kind !== "literals" || field.presence !== "required" || field.shape.checks.length > 0)
    return undefined
  const [literal, ...others] = field.shape.values
  if (literal === undefined || others.length > 0) return undefined
  return { name: field.name, literal, run: [...encodedText(field.name), ...encodedText(literal)] }
}

/** Entries by the first byte of their run, which tells most of them apart. */
export const groupByFirst = <Entry extends readonly [string, ReadonlyArray<number>, ...ReadonlyArray<unknown>]>(
  entries: ReadonlyArray<Entry>
): ReadonlyArray<readonly [number, ReadonlyArray<Entry>]> => [...Map.groupBy(entries, ([, run]) => run[0] ?? 0)]

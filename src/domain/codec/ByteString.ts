/**
 * Short strings from bytes, one UTF-16 unit per byte. One call of `String.fromCharCode` with all codes
 * spelled out is several times faster than a loop or a `TextDecoder`, so the calls are generated, one
 * per length.
 */
import { canGenerateCode, generate } from "./CodeGeneration.ts"

/** Longest string that is unrolled, in bytes: a UUID's. */
export const longestUnrolled = 36

type FromBytes = (bytes: Uint8Array, start: number, length: number) => string

/** `length` bytes from `start`, each read as one unit: the text itself when they are ASCII. */
export const byteString: FromBytes = (bytes, start, length) =>
  length <= longestUnrolled ? (compiled ??= compile())(bytes, start, length) : looped(bytes, start, length)

let compiled: FromBytes | undefined

const compile = (): FromBytes => (canGenerateCode() ? unrolled() : looped)

const unrolled = (): FromBytes => {
  const cases = Array.from({ length: longestUnrolled + 1 }, (_, length) => {
    const codes = Array.from({ length }, (_, i) => `bytes[start + ${i}]`)
    return `case ${length}: return fromCharCode(${codes.join(", ")})`
  })
  const body = `return (bytes, start, length) => { switch (length) { ${cases.join("\n")} } }`
  // The source above is a function of this type.
  return generate({ fromCharCode: String.fromCharCode }, body) as FromBytes
}

const looped: FromBytes = (bytes, start, length) =>
  String.fromCharCode.apply(null, Array.from(bytes.subarray(start, start + length)))

/**
 * Strings from UTF-8. A cluster repeats few strings (node ids, hosts, map names) very often, so short
 * ones are interned: found again by their bytes, without building them anew.
 *
 * A string is admitted only when it is seen for the second time; until then its slot remembers just
 * its hash. Otherwise ids that never come back would pay for being stored.
 */
import { byteString, longestUnrolled } from "./ByteString.ts"
import { internedSlots, maximumInternedBytes } from "./Limits.ts"

/** The string in these `length` ≥ 0 bytes, or `undefined` when they are not valid UTF-8. */
export const textFrom = (bytes: Uint8Array, words: DataView, start: number, length: number): string | undefined =>
  length < 4 || length > maximumInternedBytes
    ? freshText(bytes, words, start, length)
    : internedText(bytes, words, start, length)

// ── interning ───────────────────────────────────────────────────────────────────────────────────

const wordsPerSlot = maximumInternedBytes >> 2
const slotMask = internedSlots - 1

const hashes = new Int32Array(internedSlots)
const lengths = new Uint8Array(internedSlots)
const lastWords = new Int32Array(internedSlots)
const storedWords = new Int32Array(internedSlots * wordsPerSlot)
const strings: Array<string> = new Array<string>(internedSlots).fill("")

const internedText = (bytes: Uint8Array, words: DataView, start: number, length: number): string | undefined => {
  const last = words.getInt32(start + length - 4, true)
  let hash = words.getInt32(start, true) ^ Math.imul(last, 0x9e3779b1)
  if (length >= 12) hash ^= Math.imul(words.getInt32(start + (length >> 1) - 2, true), 0x85ebca6b)
  hash = Math.imul(hash ^ length, 0x9e3779b1)
  const slot = (hash ^ (hash >>> 15)) & slotMask
  if (hashes[slot] !== hash) {
    hashes[slot] = hash
    lengths[slot] = 0
    return freshText(bytes, words, start, length)
  }
  if (lengths[slot] === length && lastWords[slot] === last && sameWords(words, start, length, slot)) {
    return strings[slot]
  }
  return admit(bytes, words, start, length, slot, last)
}

/** Whether the slot holds these bytes; the last, possibly overlapping word has been compared already. */
const sameWords = (words: DataView, start: number, length: number, slot: number): boolean => {
  const base = slot * wordsPerSlot
  const count = length >> 2
  for (let i = 0; i < count; i++) {
    if (words.getInt32(start + i * 4, true) !== storedWords[base + i]) return false
  }
  return true
}

const admit = (
  bytes: Uint8Array,
  words: DataView,
  start: number,
  length: number,
  slot: number,
  last: number
): string | undefined => {
  const text = freshText(bytes, words, start, length)
  if (text === undefined) return undefined
  const base = slot * wordsPerSlot
  for (let i = 0; i < length >> 2; i++) storedWords[base + i] = words.getInt32(start + i * 4, true)
  lastWords[slot] = last
  lengths[slot] = length
  strings[slot] = text
  return text
}

// ── building ────────────────────────────────────────────────────────────────────────────────────

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const freshText = (bytes: Uint8Array, words: DataView, start: number, length: number): string | undefined => {
  if (!isAscii(bytes, words, start, length)) return decodedText(bytes, start, length)
  return length <= longestUnrolled ? byteString(bytes, start, length) : longAscii(bytes, start, length)
}

const isAscii = (bytes: Uint8Array, words: DataView, start: number, length: number): boolean => {
  const end = start + length
  let position = start
  let seen = 0
  for (; position + 4 <= end; position += 4) seen |= words.getInt32(position, true)
  let rest = 0
  for (; position < end; position++) rest |= bytes[position] ?? 0
  return (seen & 0x80808080) === 0 && rest < 0x80
}

const decodedText = (bytes: Uint8Array, start: number, length: number): string | undefined => {
  try {
    return utf8.decode(bytes.subarray(start, start + length))
  } catch {
    return undefined
  }
}

/** ASCII beyond the unrolled lengths: Node's own conversion where there is one. */
const longAscii = (bytes: Uint8Array, start: number, length: number): string =>
  typeof Buffer !== "undefined" && bytes instanceof Buffer
    ? bytes.toString("latin1", start, start + length)
    : utf8.decode(bytes.subarray(start, start + length))

/**
 * Strings to UTF-8. A node sends few strings (its id, its peers' ids, map names) very often, so the
 * bytes of short ASCII ones are kept. As in TextReader.ts a string is admitted when it is seen for the
 * second time, so that ids that never come back do not pay for being stored.
 */
import { encodedTextSlots, maximumInternedBytes } from "./Limits.ts"
import { invalid, overflow } from "./WritePrimitives.ts"

/** Below this many units a loop beats a call into the runtime's encoder. */
const loopedUnits = 40

/** Below this many units a loop beats looking the text up. */
const leastKeptUnits = 12

/** A string of well-formed Unicode; `invalid` when it has a lone surrogate. */
export const writeText = (text: string, at: number, bytes: Uint8Array, words: DataView, capacity: number): number => {
  const length = text.length
  // Three bytes for each unit are the most that UTF-8 takes.
  if (at + 5 + length * 3 > capacity) return overflow
  return length < leastKeptUnits || length > maximumInternedBytes
    ? writeFresh(text, at, bytes, words)
    : writeKept(text, at, bytes, words)
}

// ── the kept ones ───────────────────────────────────────────────────────────────────────────────

const wordsPerSlot = maximumInternedBytes >> 2
const slotMask = encodedTextSlots - 1

const hashes = new Int32Array(encodedTextSlots)
const texts: Array<string> = new Array<string>(encodedTextSlots).fill("")
const storedWords = new Int32Array(encodedTextSlots * wordsPerSlot)

const writeKept = (text: string, at: number, bytes: Uint8Array, words: DataView): number => {
  const hash = hashOf(text)
  const slot = (hash ^ (hash >>> 15)) & slotMask
  if (hashes[slot] !== hash) {
    hashes[slot] = hash
    texts[slot] = ""
    return writeFresh(text, at, bytes, words)
  }
  if (texts[slot] !== text) return admit(text, slot, at, bytes, words)
  const length = text.length
  const start = writeTextHeader(length, textHeader(length), at, bytes, words)
  const base = slot * wordsPerSlot
  for (let i = 0; i * 4 < length; i++) words.setInt32(start + i * 4, storedWords[base + i] ?? 0, true)
  return start + length
}

/** Ends and middle of the text and its length: enough to tell ids apart; equality is tested afterwards. */
const hashOf = (text: string): number => {
  const length = text.length
  const ends =
    text.charCodeAt(length - 1) |
    (text.charCodeAt(length - 2) << 8) |
    (text.charCodeAt(length - 3) << 16) |
    (length << 24)
  const rest = text.charCodeAt(0) | (text.charCodeAt(length >> 1) << 8) | (text.charCodeAt(3) << 16)
  return Math.imul(ends, 0x9e3779b1) ^ Math.imul(rest, 0x85ebca6b)
}

const admit = (text: string, slot: number, at: number, bytes: Uint8Array, words: DataView): number => {
  const end = writeFresh(text, at, bytes, words)
  const length = text.length
  const start = at + textHeader(length)
  const isAscii = end === start + length
  if (!isAscii) return end
  for (let i = 0; i * 4 < length; i++) storedWords[slot * wordsPerSlot + i] = words.getInt32(start + i * 4, true)
  texts[slot] = text
  return end
}

// ── writing ─────────────────────────────────────────────────────────────────────────────────────

const writeFresh = (text: string, at: number, bytes: Uint8Array, words: DataView): number => {
  const length = text.length
  if (length >= loopedUnits) return writeUtf8(text, at, bytes, words)
  const start = at + textHeader(length)
  let seen = 0
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i)
    seen |= unit
    bytes[start + i] = unit
  }
  if (seen >= 0x80) return writeUtf8(text, at, bytes, words)
  return writeTextHeader(length, start - at, at, bytes, words) + length
}

const utf8 = new TextEncoder()

/** Writes behind a header of the likely size, and moves the text when its UTF-8 is longer than thought. */
const writeUtf8 = (text: string, at: number, bytes: Uint8Array, words: DataView): number => {
  if (!text.isWellFormed()) return invalid
  const likely = textHeader(text.length)
  const length = encodeInto(text, bytes, at + likely)
  const header = textHeader(length)
  if (header !== likely) bytes.copyWithin(at + header, at + likely, at + likely + length)
  return writeTextHeader(length, header, at, bytes, words) + length
}

const encodeInto = (text: string, bytes: Uint8Array, at: number): number =>
  typeof Buffer !== "undefined" && bytes instanceof Buffer
    ? bytes.write(text, at, "utf8")
    : utf8.encodeInto(text, bytes.subarray(at)).written

/** Bytes of the header of a text of this many bytes. */
const textHeader = (length: number): number => (length < 32 ? 1 : length < 0x100 ? 2 : length < 0x10000 ? 3 : 5)

/** Writes the header and returns the position behind it. */
const writeTextHeader = (length: number, header: number, at: number, bytes: Uint8Array, words: DataView): number => {
  if (header === 1) {
    bytes[at] = 0xa0 | length
  } else if (header === 2) {
    bytes[at] = 0xd9
    bytes[at + 1] = length
  } else if (header === 3) {
    bytes[at] = 0xda
    words.setUint16(at + 1, length)
  } else {
    bytes[at] = 0xdb
    words.setUint32(at + 1, length)
  }
  return at + header
}

/**
 * A number that stands for the content of a record when two replicas compare what they hold. Digests add up: the
 * sum over any set of records, modulo 2^52, is the digest of the set, and one change costs one subtraction and one
 * addition. They are below 2^52 so that plain numbers hold a sum of two exactly.
 *
 * The hash is of our own making (rounds and finish as in MurmurHash3, two lanes of 32 bits) and no defence against
 * an adversary: members of a cluster trust each other's data anyway. Two sets that differ have equal digests with
 * probability 2^-52.
 */
import { Schema } from "effect"
import type { MapRecord } from "./MapRecord.ts"
import type { Timestamp } from "./Timestamp.ts"

const modulus = 2 ** 52

/** Sum of record hashes, 0…2^52−1. */
const schema = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: modulus - 1 }))
export type RecordDigest = typeof schema.Type

const add = (a: RecordDigest, b: RecordDigest): RecordDigest => (a < modulus - b ? a + b : a - (modulus - b))
const subtract = (a: RecordDigest, b: RecordDigest): RecordDigest => (a < b ? a + (modulus - b) : a - b)

// The two lanes of the hash under way, 32-bit integers: numbers beyond would be allocated each time. The functions below
// are synchronous and leave nothing behind here.
let low = 0
let high = 0

const mixWord = (word: number): void => {
  const a = Math.imul(word, 0xcc9e2d51)
  low = (Math.imul(rotate(low ^ Math.imul(rotate(a, 15), 0x1b873593), 13), 5) + 0xe6546b64) | 0
  const b = Math.imul(word, 0x85ebca77)
  high = (Math.imul(rotate(high ^ Math.imul(rotate(b, 16), 0xc2b2ae3d), 17), 9) + 0x52dce729) | 0
}

const rotate = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits))

const finish = (word: number): number => {
  let h = word ^ (word >>> 16)
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

const mixText = (text: string): void => {
  mixWord(text.length)
  for (let i = 0; i < text.length; i += 2) mixWord(text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16))
}

/** Bytes up to which a view of them costs more than it saves; of so few an engine may keep no buffer before it is asked. */
const shortBytes = 64

const mixBytes = (bytes: Uint8Array): void => {
  mixWord(bytes.length)
  const whole = bytes.length & ~3
  if (bytes.length > shortBytes) mixWords(bytes, whole)
  else for (let i = 0; i < whole; i += 4) mixWord(threeBytes(bytes, i) | ((bytes[i + 3] ?? 0) << 24))
  mixWord(threeBytes(bytes, whole))
}

/** The three bytes from `start`, as far as they are there. */
const threeBytes = (bytes: Uint8Array, start: number): number =>
  (bytes[start] ?? 0) | ((bytes[start + 1] ?? 0) << 8) | ((bytes[start + 2] ?? 0) << 16)

// As `mixWord` for each word of four bytes, with the lanes in local variables: values are most of what is hashed.
const mixWords = (bytes: Uint8Array, whole: number): void => {
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let first = low
  let second = high
  for (let i = 0; i < whole; i += 4) {
    const word = words.getInt32(i, true)
    const a = Math.imul(word, 0xcc9e2d51)
    first ^= Math.imul((a << 15) | (a >>> 17), 0x1b873593)
    first = (Math.imul((first << 13) | (first >>> 19), 5) + 0xe6546b64) | 0
    const b = Math.imul(word, 0x85ebca77)
    second ^= Math.imul((b << 16) | (b >>> 16), 0xc2b2ae3d)
    second = (Math.imul((second << 17) | (second >>> 15), 9) + 0x52dce729) | 0
  }
  low = first
  high = second
}

const mixTime = ({ wallMs, counter, node }: Timestamp): void => {
  mixWord(wallMs | 0)
  mixWord(wallMs / 0x1_0000_0000)
  mixWord(counter)
  mixText(node)
}

/** The digest of one record of the map `mapName`. */
const of = (mapName: string, record: MapRecord): RecordDigest => {
  low = 0x2545_f491
  high = 0x4f6c_dd1d
  mixText(mapName)
  mixText(record.key)
  if (record.type === "lww") {
    mixWord(record.value === undefined ? 1 : 2)
    mixTime(record.time)
  } else {
    mixWord(record.removed === undefined ? 3 : 4)
    mixTime(record.tag)
    if (record.removed !== undefined) mixTime(record.removed)
  }
  if (record.value !== undefined) mixBytes(record.value)
  return digest()
}

/** The digest of a record that is bytes to the cluster: for stores of your own. */
const ofBytes = (mapName: string, key: string, entry: Uint8Array): RecordDigest => {
  low = 0x2545_f491
  high = 0x4f6c_dd1d
  mixText(mapName)
  mixText(key)
  mixBytes(entry)
  return digest()
}

// Each lane is finished with some of the other, so that both count everywhere.
const digest = (): RecordDigest => {
  const first = finish(low ^ (high >>> 7))
  const second = finish(high ^ first)
  return (second & 0xf_ffff) * 0x1_0000_0000 + first
}

/** Where a key stands among those of its partition, evenly spread: an unsigned 32-bit number. */
export const keyHash = (mapName: string, key: string): number => {
  low = 0x9747_b28c
  high = 0
  mixText(mapName)
  mixText(key)
  return finish(low ^ (high >>> 7))
}

export const RecordDigest = Object.assign(schema, { of, ofBytes, add, subtract })

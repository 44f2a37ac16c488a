/**
 * Byte fields: on the wire an array of integers, because the reference's decoder takes nothing else.
 * An octet below 128 is one byte; the others are written as 0xcc and the octet. `bin` is accepted too.
 *
 * Three readers take turns, each from where the one before stopped: the kernel reads the bulk of a long
 * field, a loop what is left of the form that encoders write, and a slow one any other form.
 */
import { kernelOctets, maximumNesting } from "./Limits.ts"
import { decodedBlock, fewestKernelOctets, octetKernel, octetsAt, wireAt } from "./OctetKernel.ts"
import { readByLoop } from "./OctetReadLoop.ts"
import { cursor, openArray, readInteger, refused } from "./ReadPrimitives.ts"

/** As `readBytes`; `bin` is a view of the message. */
export const readBytesView = (
  bytes: Uint8Array,
  words: DataView,
  at: number,
  end: number,
  nesting: number
): Uint8Array | typeof refused => {
  const first = bytes[at] ?? 0
  if (first < 0xc4 || first > 0xc6) return readBytes(bytes, words, at, end, nesting)
  const length = binaryLength(bytes, at, end, 1 << (first - 0xc4))
  // Not a Buffer, as which the message is seen here.
  return length < 0 ? refused : new Uint8Array(words.buffer, cursor.position - length, length)
}

/** The bytes at `at`, or `refused`; `nesting` containers are open around them. */
export const readBytes = (
  bytes: Uint8Array,
  words: DataView,
  at: number,
  end: number,
  nesting: number
): Uint8Array | typeof refused => {
  const first = bytes[at] ?? 0
  if (first >= 0xc4 && first <= 0xc6) return readBinary(bytes, at, end, 1 << (first - 0xc4))
  const count = nesting >= maximumNesting ? -1 : openArray(bytes, at, end)
  return count < 0 ? refused : readOctets(bytes, words, end, new Uint8Array(count))
}

const readBinary = (bytes: Uint8Array, at: number, end: number, width: number): Uint8Array | typeof refused => {
  const length = binaryLength(bytes, at, end, width)
  // A plain copy: a Buffer's own `slice` would share the message's memory.
  return length < 0 ? refused : new Uint8Array(bytes.subarray(cursor.position - length, cursor.position))
}

/** Length of the binary data whose header is at `at`, −1 when it is cut off; the cursor moves behind the data. */
const binaryLength = (bytes: Uint8Array, at: number, end: number, width: number): number => {
  const start = at + 1 + width
  let length = 0
  for (let i = at + 1; i < start; i++) length = length * 256 + (bytes[i] ?? 0)
  if (length > end - start) return -1
  cursor.position = start + length
  return length
}

/** Fills `octets` from the cursor on. */
const readOctets = (
  bytes: Uint8Array,
  words: DataView,
  end: number,
  octets: Uint8Array
): Uint8Array | typeof refused => {
  const done = octets.length < fewestKernelOctets ? 0 : readByKernel(words, end, octets)
  const start = cursor.position
  return readByLoop(bytes, words, start, end, octets, done) || readAnyWidth(bytes, words, start, end, octets, done)
    ? octets
    : refused
}

/** Reads from the cursor on as far as the kernel takes it. Returns how many octets that are. */
const readByKernel = (words: DataView, end: number, octets: Uint8Array): number => {
  const kernel = octetKernel()
  if (kernel === undefined) return 0
  let done = 0
  for (;;) {
    const position = cursor.position
    const limit = Math.min(octets.length - done, kernelOctets)
    const length = Math.min(end - position, 2 * limit)
    kernel.memory.set(new Uint8Array(words.buffer, position, length), wireAt)
    const read = kernel.decode(length, limit)
    const count = kernel.decodedOctets()
    octets.set(kernel.memory.subarray(octetsAt, octetsAt + count), done)
    done += count
    cursor.position = position + read
    // It goes on only where it stopped for want of room.
    if (count + decodedBlock <= limit || octets.length - done < decodedBlock) return done
  }
}

/** Octets from index `done` on in any form; leaves the cursor behind them. False when there is no octet. */
const readAnyWidth = (
  bytes: Uint8Array,
  words: DataView,
  start: number,
  end: number,
  octets: Uint8Array,
  done: number
): boolean => {
  let position = start
  for (let i = done; i < octets.length; i++) {
    const octet = readInteger(bytes, words, position, end)
    if (!(octet >= 0 && octet <= 0xff)) return false
    octets[i] = octet
    position = cursor.position
  }
  cursor.position = position
  return true
}

/**
 * Byte fields as arrays of integers: the bulk of a long one by the kernel, the rest by a loop.
 */
import { kernelOctets } from "./Limits.ts"
import { fewestKernelOctets, type OctetKernel, octetKernel, octetsAt, wireAt } from "./OctetKernel.ts"
import { longestToken, overflow, writeHeader } from "./WritePrimitives.ts"

/** Bytes as an array of integers. */
export const writeBytes = (
  octets: Uint8Array,
  at: number,
  bytes: Uint8Array,
  words: DataView,
  capacity: number
): number => {
  const count = octets.length
  if (at + longestToken + count * 2 > capacity) return overflow
  const start = writeHeader(count, 0x90, at, bytes, words, capacity)
  if (count < fewestKernelOctets) return writeByLoop(octets, 0, start, bytes, words)
  const kernel = octetKernel()
  return kernel === undefined
    ? writeByLoop(octets, 0, start, bytes, words)
    : writeByKernel(kernel, octets, start, bytes, words)
}

const writeByKernel = (
  { encode, memory }: OctetKernel,
  octets: Uint8Array,
  start: number,
  bytes: Uint8Array,
  words: DataView
): number => {
  const whole = octets.length & ~7
  let position = start
  for (let done = 0; done < whole; done += kernelOctets) {
    const stop = Math.min(whole, done + kernelOctets)
    memory.set(octets.subarray(done, stop), octetsAt)
    const length = encode(stop - done)
    bytes.set(memory.subarray(wireAt, wireAt + length), position)
    position += length
  }
  return writeByLoop(octets, whole, position, bytes, words)
}

/** Wire form of each octet as a little-endian pair: itself, or 0xcc and itself. */
const octetPairs = Uint16Array.from({ length: 256 }, (_, octet) => (octet < 0x80 ? octet : 0xcc | (octet << 8)))

/** Octets that the loop writes at a time, by way of `work`. */
const blockOctets = 8192
/** As many are written one by one instead. */
const fewestBlockOctets = 32
// A block is written here first and copied: stores into memory that never changes need fewer checks,
// which is worth more than the copy.
const work = new Uint8Array(2 * blockOctets + 8)
const workWords = new DataView(work.buffer)

/** The octets from index `first` on, without the kernel. */
const writeByLoop = (octets: Uint8Array, first: number, at: number, bytes: Uint8Array, words: DataView): number => {
  const count = octets.length
  let position = at
  if (count - first <= fewestBlockOctets) {
    for (let i = first; i < count; i++) {
      const octet = octets[i] ?? 0
      words.setUint16(position, octetPairs[octet] ?? 0, true)
      position += 1 + (octet >> 7)
    }
    return position
  }
  for (let start = first; start < count; start += blockOctets) {
    const written = writeBlock(octets, start, Math.min(count, start + blockOctets))
    bytes.set(work.subarray(0, written), position)
    position += written
  }
  return position
}

/**
 * Both bytes of a pair are always stored, the second counts only above 127; four octets make two
 * stores and one step.
 */
const writeBlock = (octets: Uint8Array, start: number, stop: number): number => {
  let position = 0
  let i = start
  for (; i + 4 <= stop; i += 4) {
    const a = octets[i] ?? 0
    const b = octets[i + 1] ?? 0
    const c = octets[i + 2] ?? 0
    const d = octets[i + 3] ?? 0
    const middle = position + 2 + (a >> 7) + (b >> 7)
    workWords.setInt32(position, twoPairs(a, b), true)
    workWords.setInt32(middle, twoPairs(c, d), true)
    position = middle + 2 + (c >> 7) + (d >> 7)
  }
  for (; i < stop; i++) {
    const octet = octets[i] ?? 0
    workWords.setUint16(position, octetPairs[octet] ?? 0, true)
    position += 1 + (octet >> 7)
  }
  return position
}

/** Two octets' wire forms, the second behind as much of the first as counts. */
const twoPairs = (a: number, b: number): number =>
  (octetPairs[a] ?? 0) | ((octetPairs[b] ?? 0) << (8 + ((a >> 7) << 3)))

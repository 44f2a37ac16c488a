/**
 * Octets in the form that encoders write, without the kernel: for short byte fields, for the end of long
 * ones, and for all of them where the runtime has no kernel.
 */
import { cursor } from "./ReadPrimitives.ts"

/** Octets read at a time; what the second lane reads of a block waits in `aside`. */
const blockOctets = 65_536
/** A shorter block is read in one lane. */
const fewestTwoLaneOctets = 256
const aside = new DataView(new ArrayBuffer(blockOctets))

/** Where a lane stopped, and whether it met an octet in another form. */
const lane = { position: 0, odd: 0 }

/**
 * Reads from `start` to the octets from `first` on, all in the form that encoders write. Leaves the cursor
 * behind them; false when any is in another form, and then nothing is known of the octets.
 */
export const readByLoop = (
  bytes: Uint8Array,
  words: DataView,
  start: number,
  end: number,
  octets: Uint8Array,
  first: number
): boolean => {
  const count = octets.length
  const target = new DataView(octets.buffer)
  lane.position = start
  lane.odd = 0
  for (let done = first; done < count; done += blockOctets) {
    const stop = Math.min(count, done + blockOctets)
    const next = stop - done < fewestTwoLaneOctets ? done : inTwoLanes(bytes, words, end, octets, target, done, stop)
    inOneLane(bytes, words, end, octets, target, next, stop)
  }
  cursor.position = lane.position
  return lane.odd === 0 && lane.position <= end
}

/**
 * There is no branch per octet: one that is marked is read one byte further. Eight unmarked ones in a
 * row are copied at once.
 */
const inOneLane = (
  bytes: Uint8Array,
  words: DataView,
  end: number,
  octets: Uint8Array,
  target: DataView,
  from: number,
  stop: number
): void => {
  let { odd, position } = lane
  let i = from
  while (i < stop) {
    if (i + 8 <= stop && position + 8 <= end) {
      const low = words.getInt32(position, true)
      const high = words.getInt32(position + 4, true)
      if (((low | high) & 0x80808080) === 0) {
        target.setInt32(i, low, true)
        target.setInt32(i + 4, high, true)
        i += 8
        position += 8
        continue
      }
    }
    const pause = Math.min(stop, i + 8)
    for (; i < pause; i++) {
      const octet = bytes[position] ?? 0
      const marked = octet >> 7
      odd |= (octet ^ 0xcc) & -marked
      octets[i] = bytes[position + marked] ?? 0
      position += 1 + marked
    }
  }
  lane.position = position
  lane.odd = odd
}

/**
 * Where the next octet stands depends on the octet before, so one lane waits for its own loads. A
 * second one starts further on, behind any byte but 0xcc: whatever stands there ends an octet. It
 * never reads more than the block has left even if every byte before its start were an octet. Returns
 * how far the octets are complete.
 */
const inTwoLanes = (
  bytes: Uint8Array,
  words: DataView,
  end: number,
  octets: Uint8Array,
  target: DataView,
  from: number,
  stop: number
): number => {
  let first = lane.position
  // A block of n octets takes n to 2n bytes, so this is within it; random octets make both lanes equal.
  let middle = first + Math.floor((stop - from) * 0.75)
  while (middle > first && bytes[middle - 1] === 0xcc) middle--
  let second = middle
  let i = from
  let j = 0
  let odd = 0
  while (first + 4 <= middle && second + 4 <= end && i + j + (middle - first) + 2 <= stop) {
    const a = words.getInt32(first, true)
    const b = words.getInt32(second, true)
    const markedA = (a >> 7) & 1
    const markedB = (b >> 7) & 1
    const nextA = 8 + (markedA << 3)
    const nextB = 8 + (markedB << 3)
    const markedA2 = (a >>> (7 + nextA)) & 1
    const markedB2 = (b >>> (7 + nextB)) & 1
    odd |= ((a ^ 0xcc) & 0xff & -markedA) | (((a >>> nextA) ^ 0xcc) & 0xff & -markedA2)
    odd |= ((b ^ 0xcc) & 0xff & -markedB) | (((b >>> nextB) ^ 0xcc) & 0xff & -markedB2)
    target.setInt16(i, ((a >>> (markedA << 3)) & 0xff) | (((a >>> (nextA + (markedA2 << 3))) & 0xff) << 8), true)
    aside.setInt16(j, ((b >>> (markedB << 3)) & 0xff) | (((b >>> (nextB + (markedB2 << 3))) & 0xff) << 8), true)
    i += 2
    j += 2
    first += 2 + markedA + markedA2
    second += 2 + markedB + markedB2
  }
  for (; first < middle && i < stop; i++) {
    const octet = bytes[first] ?? 0
    const marked = octet >> 7
    odd |= (octet ^ 0xcc) & -marked
    octets[i] = bytes[first + marked] ?? 0
    first += 1 + marked
  }
  octets.set(new Uint8Array(aside.buffer, 0, j), i)
  lane.position = second
  lane.odd |= odd
  return i + j
}

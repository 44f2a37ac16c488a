/**
 * Byte runs that are known when a codec is compiled: field names, literals, map headers. They are
 * compared and written four bytes at a time; the last word of a comparison may overlap the one before.
 */

const utf8 = new TextEncoder()

/** A string as encoders write it: the shortest header, then UTF-8. */
export const encodedText = (text: string): ReadonlyArray<number> => {
  const bytes = utf8.encode(text)
  const length = bytes.length
  if (length < 32) return [0xa0 | length, ...bytes]
  if (length < 0x100) return [0xd9, length, ...bytes]
  return [0xda, length >> 8, length & 0xff, ...bytes]
}

/** A string's UTF-8, one UTF-16 unit per byte: how the readers see field names. */
export const byteStringOf = (text: string): string => String.fromCharCode(...utf8.encode(text))

/** Four bytes of a run as a little-endian signed word. */
export const wordAt = (run: ReadonlyArray<number>, at: number): number =>
  (run[at] ?? 0) | ((run[at + 1] ?? 0) << 8) | ((run[at + 2] ?? 0) << 16) | ((run[at + 3] ?? 0) << 24)

/** Starts of the words that cover a run of at least four bytes. */
export const wordStarts = (length: number): ReadonlyArray<number> => {
  const starts = Array.from({ length: length >> 2 }, (_, i) => i * 4)
  return length % 4 === 0 ? starts : [...starts, length - 4]
}

/** Whether the run stands at a position; false beyond the end of the message. */
export type RunTest = (bytes: Uint8Array, words: DataView, at: number, end: number) => boolean

export const runTest = (run: ReadonlyArray<number>): RunTest => {
  const length = run.length
  if (length < 4) {
    return (bytes, _, at, end) => at + length <= end && run.every((octet, i) => bytes[at + i] === octet)
  }
  const starts = Int32Array.from(wordStarts(length))
  const expected = starts.map((start) => wordAt(run, start))
  return (_, words, at, end) => {
    if (at + length > end) return false
    for (let i = 0; i < starts.length; i++) {
      if (words.getInt32(at + (starts[i] ?? 0), true) !== expected[i]) return false
    }
    return true
  }
}

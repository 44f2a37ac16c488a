/**
 * Where encoded bytes go: into the caller's buffer, or into memory of this file. Writers may ask for
 * more room than they use, so a value that would just fit is written to the work buffer and copied.
 */
import { makeViewCache } from "./ByteViews.ts"
import type { Writer } from "./ClosureWriter.ts"
import { maximumRetainedBytes, outputSlabBytes } from "./Limits.ts"
import { overflow } from "./WritePrimitives.ts"

const slabViews = makeViewCache()
const callerViews = makeViewCache()

/** Encoded messages share slabs: a buffer of its own would cost each more than encoding it. */
let slab = new Uint8Array(0)
let slabUsed = 0

/** Grows by doubling until a message fits; kept up to `maximumRetainedBytes`. */
let work = new Uint8Array(0)

/** The value's bytes, `undefined` when the writer refuses it. */
export const writeNew = (write: Writer, value: unknown): Uint8Array | undefined => {
  const end = writeToSlab(write, value)
  if (end === overflow) return writeLarge(write, value, kept)
  if (end < 0) return undefined
  const written = slab.subarray(slabUsed, end)
  slabUsed = end
  return written
}

/** Small bytes open a new slab; large ones have memory of their own, and leave the slab to others. */
const kept = (bytes: Uint8Array, length: number): Uint8Array => {
  if (length > outputSlabBytes / 8) return bytes.slice(0, length)
  slab = new Uint8Array(outputSlabBytes)
  slab.set(bytes.subarray(0, length))
  slabUsed = length
  return slab.subarray(0, length)
}

const writeToSlab = (write: Writer, value: unknown): number => {
  if (slab.length === 0) slab = new Uint8Array(outputSlabBytes)
  const { bytes, words } = slabViews(slab)
  return write(value, slabUsed, bytes, words, slab.length)
}

/**
 * Writes the value to `target` at `offset`. Returns the offset behind it, −1 when it does not fit,
 * `undefined` when the writer refuses it.
 */
export const writeInto = (write: Writer, value: unknown, target: Uint8Array, offset: number): number | undefined => {
  const { bytes, words } = callerViews(target)
  const base = target.byteOffset
  const end = write(value, base + offset, bytes, words, base + target.length)
  if (end >= 0) return end - base
  if (end !== overflow) return undefined
  return writeLarge(write, value, (written, length) => {
    if (offset + length > target.length) return overflow
    target.set(written.subarray(0, length), offset)
    return offset + length
  })
}

const writeLarge = <A>(write: Writer, value: unknown, use: (bytes: Uint8Array, length: number) => A): A | undefined => {
  let buffer = work.length === 0 ? new Uint8Array(outputSlabBytes) : work
  for (;;) {
    const { bytes, words } = slabViews(buffer)
    const end = write(value, 0, bytes, words, buffer.length)
    if (buffer.length <= maximumRetainedBytes) work = buffer
    if (end >= 0) return use(buffer, end)
    if (end !== overflow) return undefined
    buffer = new Uint8Array(buffer.length * 2)
  }
}

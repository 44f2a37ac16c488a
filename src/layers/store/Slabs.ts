/**
 * Memory for the encoded records of one map, outside of the heap: a record is a block in a slab, and its place is a
 * number. A collector that marks a gigabyte of records as objects holds up everything else for tens of milliseconds;
 * of slabs there are few.
 *
 * Blocks are written one behind the other and never changed. One that is removed leaves a gap until nothing in its slab
 * lives, or until what lives there is moved, which whoever knows the places has to do when `isWasteful`. So the bytes
 * of a record stay what they are for whoever holds a view of them, even when it is gone; but a view keeps a whole slab.
 */
import type { Aged } from "../../domain/data/Epoch.ts"
import type { RecordDigest } from "../../domain/data/RecordDigest.ts"

/** What stands before a record, so that walks need not decode it. */
export interface BlockHeader extends Aged {
  /** Of map and key. */
  readonly hash: number
  /** Tells most records of one key apart; 16 bits. */
  readonly mark: number
  readonly digest: RecordDigest
}

interface Slab {
  readonly bytes: Uint8Array
  readonly words: DataView
  /** Where the next block goes. */
  end: number
  /** Bytes of blocks that hold nothing any more. */
  dead: number
}

export interface Slabs {
  readonly all: Array<Slab | undefined>
  /** Numbers of slabs that are gone. */
  readonly vacant: Array<number>
  /** The slab that is being filled; −1 before there is one. */
  current: number
  /** Bytes of blocks, in all slabs, and of those that hold nothing any more. */
  used: number
  dead: number
}

export const make = (): Slabs => ({ all: [], vacant: [], current: -1, used: 0, dead: 0 })

/** A slab has as much room as all have in use, within these bounds. */
const smallestSlabBytes = 1024
const largestSlabBytes = 256 * 1024
/** A record that takes more of a slab has one of its own when it does not fit, so that little stays empty at an end. */
const mostOfSlab = 1 / 4
/** Slab n has the places from n times this on. */
const placesPerSlab = 2 ** 24
/** Blocks begin and end at multiples of this. */
const grain = 8

const capacityAt = 0
const lengthAt = 4
const hashAt = 8
const stateAt = 12
const markAt = 14
const digestAt = 16
const changedAt = 24
const headerBytes = 32

const live = 0
const liveTombstone = 1
const dead = 2

const slabAt = (slabs: Slabs, place: number): Slab => {
  const slab = slabs.all[Math.floor(place / placesPerSlab)]
  if (slab === undefined) throw new Error("there is no slab at this place")
  return slab
}

const offsetOf = (place: number): number => place % placesPerSlab

/** Writes a record; its place. */
export const add = (slabs: Slabs, header: BlockHeader, record: Uint8Array): number => {
  const capacity = Math.ceil((headerBytes + record.length) / grain) * grain
  const place = roomFor(slabs, capacity)
  const { bytes, words } = slabAt(slabs, place)
  const offset = offsetOf(place)
  words.setUint32(offset + capacityAt, capacity)
  words.setUint32(offset + lengthAt, record.length)
  words.setUint32(offset + hashAt, header.hash)
  words.setUint8(offset + stateAt, header.isTombstone ? liveTombstone : live)
  words.setUint16(offset + markAt, header.mark)
  words.setFloat64(offset + digestAt, header.digest)
  words.setFloat64(offset + changedAt, header.changedMs)
  bytes.set(record, offset + headerBytes)
  return place
}

const roomFor = (slabs: Slabs, capacity: number): number => {
  slabs.used += capacity
  const filled = slabs.all[slabs.current]
  if (filled !== undefined && filled.bytes.length - filled.end >= capacity) return take(filled, slabs.current, capacity)
  const bytes = slabBytes(slabs)
  const isAlone = capacity > bytes * mostOfSlab
  const [number, slab] = open(slabs, isAlone ? capacity : bytes)
  if (!isAlone) {
    const before = slabs.current
    slabs.current = number
    // It may hold nothing any more.
    dropIfDead(slabs, before)
  }
  return take(slab, number, capacity)
}

const take = (slab: Slab, number: number, capacity: number): number => {
  const offset = slab.end
  slab.end += capacity
  return number * placesPerSlab + offset
}

const slabBytes = ({ dead, used }: Slabs): number =>
  Math.min(Math.max(smallestSlabBytes, used - dead), largestSlabBytes)

const open = (slabs: Slabs, bytes: number): readonly [number: number, slab: Slab] => {
  const memory = new ArrayBuffer(bytes)
  const slab: Slab = { bytes: new Uint8Array(memory), words: new DataView(memory), end: 0, dead: 0 }
  const number = slabs.vacant.pop() ?? slabs.all.length
  slabs.all[number] = slab
  return [number, slab]
}

export const remove = (slabs: Slabs, place: number): void => {
  const slab = slabAt(slabs, place)
  const offset = offsetOf(place)
  const capacity = slab.words.getUint32(offset + capacityAt)
  slab.words.setUint8(offset + stateAt, dead)
  slab.dead += capacity
  slabs.dead += capacity
  dropIfDead(slabs, Math.floor(place / placesPerSlab))
}

const dropIfDead = (slabs: Slabs, number: number): void => {
  const slab = slabs.all[number]
  if (slab === undefined || number === slabs.current || slab.dead < slab.end) return
  slabs.all[number] = undefined
  slabs.vacant.push(number)
  slabs.used -= slab.end
  slabs.dead -= slab.dead
}

/** A quarter of what lives, and a slab, may be dead. */
export const isWasteful = (slabs: Slabs): boolean => {
  const alive = slabs.used - slabs.dead
  return slabs.dead > alive / 4 + slabBytes(slabs)
}

/** The places in the slab with the most dead blocks that are not; they are to be moved. Not of the one being filled. */
export const mostWasted = (slabs: Slabs): ReadonlyArray<number> => {
  let found = -1
  let most = 0
  for (const [number, slab] of slabs.all.entries()) {
    if (slab === undefined || number === slabs.current || slab.dead <= most) continue
    found = number
    most = slab.dead
  }
  return found < 0 ? [] : livePlaces(slabs, found)
}

const livePlaces = (slabs: Slabs, number: number): ReadonlyArray<number> => {
  const slab = slabs.all[number]
  const places: Array<number> = []
  if (slab === undefined) return places
  const { end, words } = slab
  for (let offset = 0; offset < end; offset += words.getUint32(offset + capacityAt)) {
    if (words.getUint8(offset + stateAt) !== dead) places.push(number * placesPerSlab + offset)
  }
  return places
}

/** Moves a block to where new ones go; its new place. */
export const move = (slabs: Slabs, place: number): number => {
  const moved = add(slabs, headerOf(slabs, place), recordAt(slabs, place))
  remove(slabs, place)
  return moved
}

/** The record's bytes. */
export const recordAt = (slabs: Slabs, place: number): Uint8Array => {
  const { bytes, words } = slabAt(slabs, place)
  const start = offsetOf(place) + headerBytes
  return bytes.subarray(start, start + words.getUint32(offsetOf(place) + lengthAt))
}

export const hashOf = (slabs: Slabs, place: number): number =>
  slabAt(slabs, place).words.getUint32(offsetOf(place) + hashAt)

export const markOf = (slabs: Slabs, place: number): number =>
  slabAt(slabs, place).words.getUint16(offsetOf(place) + markAt)

export const digestOf = (slabs: Slabs, place: number): RecordDigest =>
  slabAt(slabs, place).words.getFloat64(offsetOf(place) + digestAt)

export const isTombstone = (slabs: Slabs, place: number): boolean =>
  slabAt(slabs, place).words.getUint8(offsetOf(place) + stateAt) === liveTombstone

export const headerOf = (slabs: Slabs, place: number): BlockHeader => {
  const { words } = slabAt(slabs, place)
  const offset = offsetOf(place)
  return {
    hash: words.getUint32(offset + hashAt),
    mark: words.getUint16(offset + markAt),
    digest: words.getFloat64(offset + digestAt),
    changedMs: words.getFloat64(offset + changedAt),
    isTombstone: words.getUint8(offset + stateAt) === liveTombstone
  }
}

/**
 * Places of blocks by hash, several of one hash too: buckets below a tree with 16 children at each node, over the
 * leading bits of the hashes. A bucket that becomes large is split, so that no addition takes long; a hash table that
 * grows as a whole takes tens of milliseconds for it when there are many keys.
 */

export interface Bucket {
  /** The hashes that belong here: as many leading bits of them are the same as nodes are above, four for each. */
  readonly first: number
  readonly last: number
  readonly bits: number
  /** Of `count` blocks, in no order. */
  hashes: Uint32Array
  places: Float64Array
  count: number
  /** How many of the blocks are tombstones. */
  tombstones: number
}

interface Branch {
  readonly bits: number
  readonly children: Array<Bucket | Branch>
}

export interface PlaceIndex {
  root: Bucket | Branch
}

const fanOut = 16
const bitsPerLevel = 4
const hashBits = 32
const firstCapacity = 4
/** A bucket with more is split, unless all in it have the same hash. */
const mostInBucket = 256

const makeBucket = (first: number, bits: number, capacity: number): Bucket => ({
  first,
  last: first + 2 ** (hashBits - bits) - 1,
  bits,
  hashes: new Uint32Array(capacity),
  places: new Float64Array(capacity),
  count: 0,
  tombstones: 0
})

export const make = (): PlaceIndex => ({ root: makeBucket(0, 0, firstCapacity) })

const childOf = ({ bits, children }: Branch, hash: number): Bucket | Branch => {
  const child = children[(hash >>> (hashBits - bitsPerLevel - bits)) & (fanOut - 1)]
  if (child === undefined) throw new Error("a branch has 16 children")
  return child
}

/** The bucket that blocks of this hash are in. */
export const bucketOf = (index: PlaceIndex, hash: number): Bucket => {
  let node = index.root
  while ("children" in node) node = childOf(node, hash)
  return node
}

export const add = (index: PlaceIndex, hash: number, place: number, isTombstone: boolean): void => {
  const bucket = bucketOf(index, hash)
  put(bucket, hash, place)
  bucket.tombstones += Number(isTombstone)
}

const put = (bucket: Bucket, hash: number, place: number): void => {
  const { count } = bucket
  if (count === bucket.hashes.length) grow(bucket)
  bucket.hashes[count] = hash
  bucket.places[count] = place
  bucket.count++
}

const grow = (bucket: Bucket): void => {
  const { hashes, places } = bucket
  bucket.hashes = new Uint32Array(2 * hashes.length)
  bucket.hashes.set(hashes)
  bucket.places = new Float64Array(2 * places.length)
  bucket.places.set(places)
}

/** Splits the bucket of a hash if it has become large. Nobody else may hold it. */
export const split = (index: PlaceIndex, hash: number, isTombstone: (place: number) => boolean): void => {
  let above: Branch | undefined
  let node = index.root
  while ("children" in node) {
    above = node
    node = childOf(node, hash)
  }
  if (node.count <= mostInBucket || node.bits >= hashBits) return
  const branch = branchOf(node, isTombstone)
  if (above === undefined) index.root = branch
  else above.children[above.children.indexOf(node)] = branch
}

const branchOf = (bucket: Bucket, isTombstone: (place: number) => boolean): Branch => {
  const { bits, count, first, hashes, places } = bucket
  const span = 2 ** (hashBits - bits) / fanOut
  const children = Array.from({ length: fanOut }, (_, i) =>
    makeBucket(first + i * span, bits + bitsPerLevel, mostInBucket / fanOut)
  )
  const branch: Branch = { bits, children }
  for (let row = 0; row < count; row++) {
    const [hash = 0, place = 0] = [hashes[row], places[row]]
    const child = childOf(branch, hash)
    if ("children" in child) continue
    put(child, hash, place)
    if (bucket.tombstones > 0) child.tombstones += Number(isTombstone(place))
  }
  return branch
}

const rowOf = ({ count, places }: Bucket, place: number): number => {
  for (let row = 0; row < count; row++) if (places[row] === place) return row
  throw new Error("a place is not in the bucket of its hash")
}

/** A block has another place, or has become a tombstone or ceased to be one. */
export const replace = (index: PlaceIndex, hash: number, place: number, next: number, tombstones: number): void => {
  const bucket = bucketOf(index, hash)
  bucket.places[rowOf(bucket, place)] = next
  bucket.tombstones += tombstones
}

// The last takes its place: the order means nothing.
export const remove = (index: PlaceIndex, hash: number, place: number, isTombstone: boolean): void => {
  const bucket = bucketOf(index, hash)
  const row = rowOf(bucket, place)
  const last = bucket.count - 1
  bucket.hashes[row] = bucket.hashes[last] ?? 0
  bucket.places[row] = bucket.places[last] ?? 0
  bucket.count = last
  bucket.tombstones -= Number(isTombstone)
}

/** The places of this hash. */
export const placesOf = (index: PlaceIndex, hash: number): ReadonlyArray<number> => {
  const { count, hashes, places } = bucketOf(index, hash)
  const found: Array<number> = []
  for (let row = 0; row < count; row++) if (hashes[row] === hash) found.push(places[row] ?? 0)
  return found
}

/** All buckets, in the order of their hashes. While they are walked through, nothing may be added. */
export function* buckets(index: PlaceIndex): Generator<Bucket> {
  for (let hash = 0; hash < 2 ** hashBits;) {
    const bucket = bucketOf(index, hash)
    yield bucket
    hash = bucket.last + 1
  }
}

/**
 * The digests of a partition, arranged so that two replicas find where they differ with few messages: a tree whose
 * nodes have 16 children and the sum of their digests, over the first bits of the keys' hashes. Equal sums end the
 * search; otherwise the children are compared, and at last the keys of a leaf.
 *
 * Nodes are numbered from the root, 0, level by level: the children of n are 16 n + 1 … 16 n + 16. There are 4096
 * leaves, so 100,000 records make leaves of 24.
 *
 * A tree belongs to the store that maintains it and changes in place.
 */
import { RecordDigest } from "./RecordDigest.ts"

const fanOut = 16
const levels = 3

/** Leading bits of a key's hash that tell its leaf. */
const leafBits = 4 * levels
/** Number of the root. */
const root = 0
/** Number of the first leaf; leaves are the last 4096 nodes. */
const firstLeaf = (fanOut ** levels - 1) / (fanOut - 1)
/** Nodes of a tree. */
const size = firstLeaf + fanOut ** levels

/** Nodes with a sum up to which only those are kept. */
const sparseNodes = 512

export interface DigestTree {
  /** Sums by node, while they are few; then `dense`. */
  sparse: Map<number, RecordDigest> | undefined
  dense: Float64Array | undefined
}

const make = (): DigestTree => ({ sparse: new Map(), dense: undefined })

const isLeaf = (node: number): boolean => node >= firstLeaf

/** The leaf of a key with this hash. */
const leafOf = (hash: number): number => firstLeaf + (hash >>> (32 - leafBits))

/** The first and the last hash of the keys below a node. */
const hashRange = (node: number): readonly [first: number, last: number] => {
  let start = 0
  let count = 1
  while (node >= start + count) {
    start += count
    count *= fanOut
  }
  const span = 2 ** 32 / count
  const first = (node - start) * span
  return [first, first + span - 1]
}

/** Numbers of a node's children; a leaf has none. */
const children = (node: number): ReadonlyArray<number> =>
  isLeaf(node) ? [] : Array.from({ length: fanOut }, (_, i) => fanOut * node + 1 + i)

const isNode = (node: number): boolean => Number.isInteger(node) && node >= 0 && node < size

/** The sum of a node's records. */
const sum = (tree: DigestTree, node: number): RecordDigest => tree.dense?.[node] ?? tree.sparse?.get(node) ?? 0

/** Adds a digest, or the difference of two, at a leaf. */
const add = (tree: DigestTree, leaf: number, digest: RecordDigest): void => {
  for (let node = leaf; ; node = Math.floor((node - 1) / fanOut)) {
    set(tree, node, RecordDigest.add(sum(tree, node), digest))
    if (node === root) return
  }
}

const set = (tree: DigestTree, node: number, digest: RecordDigest): void => {
  if (tree.dense !== undefined) {
    tree.dense[node] = digest
    return
  }
  if (digest === 0) {
    tree.sparse?.delete(node)
    return
  }
  tree.sparse?.set(node, digest)
  if (tree.sparse === undefined || tree.sparse.size <= sparseNodes) return
  const dense = new Float64Array(size)
  for (const [known, value] of tree.sparse) dense[known] = value
  tree.dense = dense
  tree.sparse = undefined
}

/** Takes one version's digest out of a leaf and puts another's in; 0 stands for none. */
const replace = (tree: DigestTree, leaf: number, old: RecordDigest, next: RecordDigest): void =>
  add(tree, leaf, RecordDigest.subtract(next, old))

export const DigestTree = {
  root,
  leafBits,
  firstLeaf,
  size,
  make,
  isLeaf,
  isNode,
  leafOf,
  hashRange,
  children,
  sum,
  replace
}

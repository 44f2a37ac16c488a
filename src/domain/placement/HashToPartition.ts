/**
 * Which partition a key belongs to. Every node, and every client of the reference, must agree on it,
 * so the hash is fixed: FNV-1a of 32 bits over the key's UTF-16 code units, each taken whole (not
 * split into bytes), without a finalizer.
 */
import { defaultPartitionCount } from "../model/Partition.ts"

const offsetBasis = 0x811c9dc5
const prime = 0x01000193

/** FNV-1a (Fowler, Noll, Vo) of the UTF-16 code units of `key`, 0…2^32−1. */
export const fnv1a32 = (key: string): number => {
  let hash = offsetBasis
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), prime)
  return hash >>> 0
}

/** The partition of `key`, 0…`partitionCount` − 1. `partitionCount` is at least 1. */
export const hashToPartition = (key: string, partitionCount: number = defaultPartitionCount): number =>
  fnv1a32(key) % partitionCount

/** Keys, their hash and their partition, as recorded in `hash.json`. */
import { Schema } from "effect"
import { fnv1a32, hashToPartition } from "../../src/domain/placement/HashToPartition.ts"
import type { Failure, Report } from "./Report.ts"
import { readCases } from "./VectorFile.ts"

const Case = Schema.Struct({ key: Schema.String, hash: Schema.Number, partition271: Schema.Number })

export const hash = (folder: string): Report => {
  const cases = readCases(folder, "hash.json", Schema.Array(Case))
  const failures = cases.flatMap(({ key, hash, partition271 }): ReadonlyArray<Failure> => {
    const name = JSON.stringify(key)
    if (fnv1a32(key) !== hash) return [{ name, reason: `hash ${fnv1a32(key)} instead of ${hash}` }]
    const partition = hashToPartition(key)
    return partition === partition271 ? [] : [{ name, reason: `partition ${partition} instead of ${partition271}` }]
  })
  return { suite: "hash", cases: cases.length, failures }
}

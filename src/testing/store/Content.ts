/** Content to try a store with: by default records of maps, from a seed. */
import type { MapRecord } from "../../domain/data/MapRecord.ts"
import { encodeChunk, encodeDelta } from "../../domain/data/RecordCodec.ts"
import type { Timestamp } from "../../domain/data/Timestamp.ts"
import type { DeltaOp, MapStateChunk } from "../../domain/wire/PartitionMessages.ts"
import { type Random, random as randomOf } from "../simulation/Random.ts"

/** Chunks and deltas that overlap: several versions of the same records among them. */
export interface Content {
  readonly chunks: ReadonlyArray<MapStateChunk>
  readonly deltas: ReadonlyArray<DeltaOp>
}

const nodes = ["a#1", "b#1", "b#2", "\u{ffff}", "\u{10000}"]
const keys = ["", "k", "ä", "😀", "a\u0000b", "long ".repeat(50)]
const maps = [
  ["users", "lww"],
  ["tags", "or"],
  // One name for maps of both kinds: they are two.
  ["users", "or"]
] as const

const time = ({ below, pick }: Random): Timestamp => ({ wallMs: 1000 + below(4), counter: below(3), node: pick(nodes) })

const value = ({ below, chance }: Random): Uint8Array =>
  Uint8Array.from({ length: chance(0.05) ? 3000 : below(4) }, () => below(256))

const record = (random: Random, type: MapRecord["type"]): MapRecord => {
  const key = random.chance(0.3) ? random.pick(keys) : `key-${random.below(40)}`
  const isRemoved = random.chance(0.3)
  if (type === "lww") {
    return isRemoved ? { type, key, time: time(random) } : { type, key, time: time(random), value: value(random) }
  }
  const tag = time(random)
  return isRemoved ? { type, key, tag, removed: time(random) } : { type, key, tag, value: value(random) }
}

/** Records of maps of both kinds. */
export const mapContent = (seed: number): Content => {
  const random = randomOf(seed)
  const chunks = Array.from({ length: 6 }, () => {
    const [mapName, mapType] = random.pick(maps)
    const records = Array.from({ length: random.below(30) }, () => record(random, mapType))
    return encodeChunk(mapName, mapType, records)
  })
  const deltas = Array.from({ length: 30 }, () => {
    const [mapName, mapType] = random.pick(maps)
    return encodeDelta(mapName, record(random, mapType))
  })
  return { chunks, deltas }
}

/** The store in memory and the one in a file do the same, whatever is asked of them. */
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Option, Stream } from "effect"
import { afterAll } from "vitest"
import { DigestTree } from "../../../src/domain/data/DigestTree.ts"
import type { KeyName } from "../../../src/domain/data/KeyName.ts"
import type { MapOperation } from "../../../src/domain/data/MapOperation.ts"
import * as PartitionStoreMemory from "../../../src/layers/PartitionStoreMemory.ts"
import * as PartitionStoreSqlite from "../../../src/layers/PartitionStoreSqlite.ts"
import type { MapStoreShape } from "../../../src/services/MapStore.ts"
import type { CollectScope } from "../../../src/services/PartitionStore.ts"
import { mapContent } from "../../../src/testing/PartitionStoreLaws.ts"
import { type Random, random } from "../../../src/testing/simulation/Random.ts"

const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "squadron-two-"))
afterAll(() => rmSync(folder, { recursive: true }))

/** Something to ask of a store, and what of its answer is to be the same. */
type Step = (store: MapStoreShape) => Effect.Effect<unknown, unknown>

const operation = ({ below, pick }: Random): MapOperation => {
  const key = `key-${below(30)}`
  const value = Uint8Array.of(below(4))
  switch (pick(["put", "delete", "add", "remove", "clear"] as const)) {
    case "put":
      return { type: "put", mapName: "users", key, value }
    case "delete":
      return { type: "delete", mapName: "users", key }
    case "add":
      return { type: "add", mapName: "tags", key, value }
    case "remove":
      return { type: "remove", mapName: "tags", key, value }
    case "clear":
      return { type: "remove", mapName: "tags", key }
  }
}

const keyName = ({ below, chance }: Random): KeyName =>
  chance(0.5)
    ? { mapName: "users", mapType: "lww", key: `key-${below(40)}` }
    : { mapName: "tags", mapType: "or", key: `key-${below(40)}` }

const scope = (draw: Random): CollectScope => {
  if (draw.chance(0.4)) return { _tag: "tombstones" }
  const keys = draw.chance(0.5) ? Option.none() : Option.some([keyName(draw), keyName(draw)])
  return { _tag: "gone", keys }
}

const step = (draw: Random): Step => {
  const { below, chance, pick } = draw
  const id = below(3)
  const epoch = { baseMs: 1000 + below(4), markMs: 1000 + below(6) }
  const { chunks, deltas } = mapContent(below(1000))
  const chunk = pick(chunks)
  switch (pick(["write", "write", "write", "merge", "apply", "collect", "drop", "note"] as const)) {
    case "write": {
      const operations = Array.from({ length: 1 + below(8) }, () => operation(draw))
      const reading = { wallMs: 1000 + below(5), counter: below(3), node: pick(["a#1", "b#1"]) }
      return (store) => store.write(id, operations, reading)
    }
    case "merge":
      return (store) => store.merge(id, chunk, epoch)
    case "apply": {
      const some = deltas.slice(0, below(deltas.length))
      return (store) => store.apply(id, some, epoch)
    }
    case "collect": {
      const what = scope(draw)
      return (store) => store.collect(id, epoch, what)
    }
    case "drop":
      return chance(0.3) ? (store) => store.drop(id) : () => Effect.void
    case "note": {
      const note = Uint8Array.of(below(9))
      return (store) => store.setNote(id, note)
    }
  }
}

const name = ({ key, mapName, mapType }: KeyName): string => `${mapType} ${mapName} ${key}`

/** All that can be seen of a store, in one order. */
const seen = (store: MapStoreShape) =>
  Effect.gen(function* () {
    const sizes = (yield* store.partitions)
      .map(({ bytes, partitionId, records }) => ({ partitionId, records, bytes }))
      .toSorted((a, b) => a.partitionId - b.partitionId)
    const partitions: Array<unknown> = []
    for (const id of [0, 1, 2]) {
      const keys = (yield* Stream.runCollect(store.keyDigests(id, DigestTree.root))).flat()
      const ordered = keys.toSorted((a, b) => (name(a) < name(b) ? -1 : 1))
      const live = yield* Effect.forEach(ordered, (key) => store.get(id, key))
      partitions.push(ordered, live, yield* store.digests(id, [0, 1, 20, 300]), Option.getOrNull(yield* store.note(id)))
    }
    return { sizes, partitions }
  })

/** An answer with its keys in one order: which key comes first is no part of the contract. */
const comparable = (exit: Exit.Exit<unknown, unknown>): unknown => {
  if (Exit.isFailure(exit) || !Array.isArray(exit.value)) return exit
  return exit.value.map((one) => JSON.stringify(one)).toSorted()
}

describe("Two stores that are asked the same", () => {
  it.live.each([1, 2, 3, 4, 5, 6])("answer the same and hold the same: seed %d", (seed) =>
    Effect.gen(function* () {
      const memory = yield* PartitionStoreMemory.make()
      const open = PartitionStoreSqlite.makeWithoutThread({ path: join(folder, `${seed}.db`) })
      const draw = random(seed)
      // The file is closed and opened again between rounds.
      for (let round = 0; round < 4; round++) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const file = yield* open
            for (let i = 0; i < 40; i++) {
              const next = step(draw)
              // Digests are added up at some point, and kept from there.
              if (draw.chance(0.1)) yield* file.digests(draw.below(3), [0])
              const [a, b] = [yield* Effect.exit(next(memory)), yield* Effect.exit(next(file))]
              assert.deepStrictEqual(comparable(b), comparable(a))
            }
            assert.deepStrictEqual(yield* seen(file), yield* seen(memory))
          })
        )
      }
    })
  )
})

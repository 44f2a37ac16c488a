/** The laws catch the stores that break them. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Stream } from "effect"
import * as PartitionStoreMemory from "../../src/layers/PartitionStoreMemory.ts"
import type { MapStoreShape } from "../../src/services/MapStore.ts"
import * as PartitionStoreLaws from "../../src/testing/PartitionStoreLaws.ts"

type Fault = (store: MapStoreShape) => Partial<MapStoreShape>

const faults: ReadonlyArray<readonly [what: string, fault: Fault]> = [
  ["forgets the last chunk of a reading", ({ read }) => ({ read: (id, max) => Stream.dropRight(read(id, max), 1) })],
  [
    "mixes its maps up",
    ({ read }) => ({ read: (id, max) => Stream.map(read(id, max), (chunk) => ({ ...chunk, mapName: "users" })) })
  ],
  ["drops whatever the version", ({ drop }) => ({ drop: (id) => drop(id) })],
  [
    "keeps the note of a dropped partition",
    ({ note }) => ({
      note: (id) =>
        Effect.map(
          note(id),
          Option.orElseSome(() => Uint8Array.of(1))
        )
    })
  ],
  [
    "says that everything changed",
    ({ merge }) => ({
      merge: (id, chunk, epoch) => Effect.map(merge(id, chunk, epoch), (merged) => ({ ...merged, changed: 1 }))
    })
  ],
  ["has a digest that never changes", () => ({ digests: (_, nodes) => Effect.succeed(nodes.map(() => 0)) })],
  ["has chunks as large as it likes", ({ read }) => ({ read: (id) => read(id) })],
  ["ignores the epoch", ({ merge }) => ({ merge: (id, chunk) => merge(id, chunk) })],
  [
    "applies deltas one by one",
    ({ apply }) => ({
      apply: (id, deltas, epoch) =>
        Effect.forEach(deltas, (delta) => apply(id, [delta], epoch)).pipe(Effect.flatMap(() => apply(id, [], epoch)))
    })
  ],
  [
    "finds only half of the keys",
    ({ keyDigests }) => ({
      keyDigests: (id, node) => Stream.map(keyDigests(id, node), (keys) => keys.slice(0, keys.length >> 1))
    })
  ],
  [
    "stamps by its own clock",
    ({ write }) => ({ write: (id, operations) => write(id, operations, { wallMs: 99, counter: 0, node: "a#1" }) })
  ],
  [
    "has a get that shows removed values",
    ({ get, records }) => ({
      get: (id, key) =>
        Effect.flatMap(records(id, [key]), (all) => (all.length > 0 ? Effect.die("removed") : get(id, key)))
    })
  ]
]

describe("The laws of a store catch one that", () => {
  it.effect.each(faults)("%s", ([, fault]) =>
    Effect.gen(function* () {
      const open = Effect.map(PartitionStoreMemory.make(), (store) => ({ ...store, ...fault(store) }))
      const media = Effect.succeed({ open })
      const laws = [...PartitionStoreLaws.laws({ media, seeds: [1] }), ...PartitionStoreLaws.mapLaws(media)]
      const exits = yield* Effect.forEach(laws, ({ check }) => Effect.exit(check))
      assert.isAbove(exits.filter(({ _tag }) => _tag === "Failure").length, 0)
    })
  )
})

/** Copies of partitions as an application sees them: events, status, and the maps' content where they went. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Option, Stream } from "effect"
import { type ClusterChange, ClusterService, MigrationService } from "../../../src/index.ts"
import { PartitionedMaps } from "../../../src/maps.ts"
import { inVirtualTime, until } from "../InVirtualTime.ts"
import * as InMemory from "./InMemory.ts"

const { at } = InMemory

describe("copies of partitions", () => {
  it.effect("a node that joins is given its partitions by copies, which are told as they go on", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { network, nodes } = yield* InMemory.nodes(2)
        const map = Context.get(at(nodes, 0), PartitionedMaps).lww({ name: "data", value: "bytes" })
        const keys = Array.from({ length: 60 }, (_, i) => `key ${i}`)
        yield* Effect.forEach(keys, (key) => map.put(key, new Uint8Array(2000)), { concurrency: 20, discard: true })
        const told: Array<Extract<ClusterChange, { readonly _tag: "MigrationProgress" }>> = []
        for (const node of nodes) {
          yield* Context.get(node, ClusterService).subscribeChanges.pipe(
            Stream.runForEach((change) =>
              Effect.sync(() => {
                if (change._tag === "MigrationProgress") told.push(change)
              })
            ),
            Effect.forkScoped({ startImmediately: true })
          )
        }
        let busiest = 0
        yield* Context.get(at(nodes, 0), ClusterService).health.pipe(
          Effect.map(({ activeMigrations }) => {
            busiest = Math.max(busiest, activeMigrations)
          }),
          Effect.andThen(Effect.yieldNow),
          Effect.forever,
          Effect.forkScoped
        )
        const third = yield* InMemory.build(network, 3)
        // A third of seven partitions, and as many backups.
        yield* until(
          Effect.map(Context.get(third, ClusterService).partitionTable, ({ rows }) => {
            const held = rows.filter((row) => row?.owner === "n3" || row?.backups.includes("n3") === true)
            return held.length >= 4
          })
        )
        yield* InMemory.settled([...nodes, third])
        const finished = told.filter(({ phase }) => phase === "finished")
        assert.isAbove(finished.length, 3)
        assert.deepStrictEqual([...new Set(finished.map(({ destination }) => destination))], ["n3"])
        assert.isAbove(
          finished.reduce((sum, { bytes }) => sum + bytes, 0),
          20_000
        )
        assert.isAbove(busiest, 0)
        const copy = Context.get(third, PartitionedMaps).lww({ name: "data", value: "bytes" })
        for (const key of keys) assert.isTrue(Option.isSome(yield* copy.get(key)))
      })
    )
  )

  it.effect("a node that leaves hands over what it holds, where there are no backups", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { nodes } = yield* InMemory.nodes(2, { config: { backupCount: 0 } })
        const maps = nodes.map((node) => Context.get(node, PartitionedMaps).lww({ name: "data", value: "bytes" }))
        const keys = Array.from({ length: 60 }, (_, i) => `key ${i}`)
        yield* Effect.forEach(keys, (key) => at(maps, 0).put(key, new Uint8Array(2000)), {
          concurrency: 20,
          discard: true
        })
        const { rows } = yield* Context.get(at(nodes, 0), ClusterService).partitionTable
        assert.isTrue(rows.some((row) => row?.owner === "n1") && rows.some((row) => row?.owner === "n2"))
        // The master, which plans its own leave.
        yield* Context.get(at(nodes, 0), ClusterService).leave
        for (const key of keys) assert.isTrue(Option.isSome(yield* at(maps, 1).get(key)))
      })
    )
  )

  it.effect("a partition that is moved takes its content along, and a second move of it is refused or done", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { nodes } = yield* InMemory.nodes(3)
        const maps = nodes.map((node) => Context.get(node, PartitionedMaps).lww({ name: "data", value: "bytes" }))
        yield* at(maps, 0).put("k", Uint8Array.of(7), { minCopies: 2 })
        const owner = yield* InMemory.ownerOf(nodes, "k")
        const { rows } = yield* Context.get(at(nodes, 0), ClusterService).partitionTable
        const row = rows.find((one) => one?.owner === `n${owner + 1}` && one !== undefined)
        const idle = ["n1", "n2", "n3"].find((id) => id !== row?.owner && !row?.backups.includes(id)) ?? ""
        const task = {
          partitionId: row?.partitionId ?? 0,
          source: row?.owner ?? "",
          destination: idle,
          newBackups: row?.backups ?? []
        }
        const service = Context.get(at(nodes, 0), MigrationService)
        yield* service.startMigrations([task])
        yield* until(
          Effect.map(
            Context.get(at(nodes, 2), ClusterService).partitionTable,
            (table) => table.rows[task.partitionId]?.owner === idle
          )
        )
        for (const map of maps) assert.deepStrictEqual(yield* map.get("k"), Option.some(Uint8Array.of(7)))
        assert.strictEqual((yield* Effect.flip(service.startMigrations([task])))._tag, "InvalidMigrationTask")
      })
    )
  )
})

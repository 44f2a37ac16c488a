/** What can be wrong with the file: one clear, typed error each, and nothing that was acknowledged is lost by it. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { MessageChannel } from "node:worker_threads"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schedule, Stream } from "effect"
import { afterAll } from "vitest"
import * as PartitionStoreSqlite from "../../../src/layers/PartitionStoreSqlite.ts"
import type { FromThread, ToThread } from "../../../src/layers/sqlite/Requests.ts"
import { maxWaitingBytes, open } from "../../../src/layers/sqlite/StoreClient.ts"
import type { MapStoreShape } from "../../../src/services/MapStore.ts"
import { killAgainAndAgain } from "../../long/StoreKill.ts"

// In memory where there is such a place: what is tested here does not depend on how slow the disk is.
const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "squadron-failures-"))
afterAll(() => rmSync(folder, { recursive: true }))

let files = 0
const freshPath = (): string => join(folder, `${++files}.db`)

const { makeWithoutThread } = PartitionStoreSqlite
const put = (store: MapStoreShape, partitionId: number, key: string, bytes: number) =>
  store.write(partitionId, [{ type: "put", mapName: "m", key, value: new Uint8Array(bytes).fill(7) }], {
    wallMs: 1,
    counter: 0,
    node: "a#1"
  })

/** How often a condition of another turn is looked at. */
const soon = Schedule.spaced("1 millis")

/** The error with which opening fails. */
const refusal = (path: string) => Effect.scoped(Effect.flip(makeWithoutThread({ path })))

/** A store of some records, closed again. */
const filled = Effect.gen(function* () {
  const path = freshPath()
  yield* Effect.scoped(
    Effect.gen(function* () {
      const store = yield* makeWithoutThread({ path })
      for (let i = 0; i < 200; i++) yield* put(store, 1, `k${i}`, 1000)
    })
  )
  return path
})

describe("Opening fails, with the reason, when", () => {
  it.live("another process, or another store of this one, has the file", () =>
    Effect.gen(function* () {
      const path = freshPath()
      const store = yield* PartitionStoreSqlite.make({ path })
      const error = yield* Effect.flip(PartitionStoreSqlite.make({ path }))
      assert.strictEqual(error._tag === "StoreFailed" ? error.reason : error._tag, "locked")
      yield* put(store, 1, "k", 1)
    }).pipe(Effect.scoped)
  )

  it.live.each([
    ["the folder is missing", () => join(folder, "none", "store.db"), "unavailable"],
    ["the path is a folder", () => folder, "unavailable"],
    [
      "the file is no database",
      () => {
        const path = freshPath()
        writeFileSync(path, "something else entirely, and rather more than a header of SQLite would take\n".repeat(20))
        return path
      },
      "corrupted"
    ],
    [
      "the file is another program's database",
      () => {
        const path = freshPath()
        const other = new DatabaseSync(path)
        other.exec("CREATE TABLE users (id INTEGER)")
        other.close()
        return path
      },
      "corrupted"
    ]
  ] as const)("%s", ([, prepare, reason]) =>
    Effect.gen(function* () {
      const error = yield* refusal(prepare())
      assert.strictEqual(error._tag === "StoreFailed" ? error.reason : error._tag, reason, error.message)
    })
  )

  it.live("another release has written it", () =>
    Effect.gen(function* () {
      const path = yield* filled
      const database = new DatabaseSync(path)
      database.exec("PRAGMA user_version = 99")
      database.close()
      const error = yield* refusal(path)
      assert.strictEqual(error._tag === "StoreFailed" ? error.reason : error._tag, "version")
      assert.match(error.message, /99/)
    })
  )
})

describe("A store", () => {
  it.live("says that it is damaged when its content is", () =>
    Effect.gen(function* () {
      const path = yield* filled
      const database = new DatabaseSync(path)
      database.exec("UPDATE records SET data = x'c1ff'")
      database.close()
      const error = yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* makeWithoutThread({ path })
          return yield* Effect.flip(store.get(1, { mapName: "m", mapType: "lww", key: "k1" }))
        })
      )
      assert.strictEqual(error.reason, "corrupted")
    })
  )

  it.live("refuses what exceeds its maximum, alone, and goes on; dropping makes room again", () =>
    Effect.gen(function* () {
      const store = yield* makeWithoutThread({ path: freshPath(), maxBytes: 1024 * 1024 })
      const stored = new Set<string>()
      // Large and small ones at once: in one transaction the large ones must not take the small ones with them.
      const writes = Array.from({ length: 60 }, (_, i) => {
        const key = `k${i}`
        return put(store, i % 2, key, i % 3 === 0 ? 200_000 : 10).pipe(
          Effect.as("stored" as const),
          Effect.tap(() => Effect.sync(() => stored.add(key))),
          Effect.catchTag("StoreFull", ({ limitBytes }) => {
            assert.strictEqual(limitBytes, 1024 * 1024)
            return Effect.succeed("full" as const)
          })
        )
      })
      const outcomes = yield* Effect.all(writes, { concurrency: "unbounded" })
      assert.include(outcomes, "full")
      const found = new Set<string>()
      for (const partitionId of [0, 1]) {
        yield* Stream.runForEach(store.iterate(partitionId, "m", "lww"), ({ key }) => Effect.sync(() => found.add(key)))
      }
      assert.deepStrictEqual([...found].toSorted(), [...stored].toSorted())
      assert.isTrue(yield* store.drop(0))
      // The rows are removed in the background, so room comes a little later.
      const retried = put(store, 3, "large", 200_000).pipe(
        Effect.catchTag("StoreFull", () => Effect.andThen(Effect.sleep("5 millis"), Effect.fail("full"))),
        Effect.retry({ times: 400 })
      )
      assert.strictEqual((yield* retried).length, 1)
    }).pipe(Effect.scoped)
  )

  it.live("fails what would wait beyond its bound, at once, and nothing else", () =>
    Effect.gen(function* () {
      // A file that answers when it is told to: how much waits then is no question of speed.
      const { port1, port2 } = new MessageChannel()
      const asked: Array<number> = []
      port2.on("message", (message: ToThread) => {
        if (message.type === "close") port2.close()
        else for (const [id] of message.requests) asked.push(id)
      })
      const answerAll = Effect.sync(() => {
        const outcomes = asked.splice(0).map((id) => [id, { ok: true, answer: [] }] as const)
        port2.postMessage({ type: "outcomes", outcomes } satisfies FromThread)
      })
      port2.postMessage({ type: "opened" } satisfies FromThread)
      const client = yield* open({ path: "", maxBytes: 0 }, () => ({ port: port1, gone: "close" }))
      const value = new Uint8Array(2 ** 20)
      const most = maxWaitingBytes / value.length
      const write = client.ask({
        type: "write",
        partitionId: 1,
        operations: [{ type: "put", mapName: "m", key: "", value }],
        reading: { wallMs: 1, counter: 0, node: "a#1" }
      })
      const waiting = yield* Effect.forkChild(
        Effect.all(
          Array.from({ length: most }, () => write),
          { concurrency: "unbounded" }
        ),
        {
          startImmediately: true
        }
      )
      const error = yield* Effect.flip(write)
      assert.strictEqual(error._tag === "StoreFailed" ? error.reason : error._tag, "overloaded")
      yield* Effect.sync(() => asked.length).pipe(Effect.repeat({ until: (count) => count === most, schedule: soon }))
      yield* answerAll
      assert.lengthOf(yield* Fiber.join(waiting), most)
      const next = yield* Effect.forkChild(write, { startImmediately: true })
      yield* Effect.sync(() => asked.length).pipe(Effect.repeat({ until: (count) => count === 1, schedule: soon }))
      yield* answerAll
      yield* Fiber.join(next)
    }).pipe(Effect.scoped)
  )

  it.live("that is closed answers so", () =>
    Effect.gen(function* () {
      const store = yield* Effect.scoped(PartitionStoreSqlite.make({ path: freshPath() }))
      assert.strictEqual((yield* Effect.flip(store.size(1))).reason, "closed")
    })
  )

  it("whose process is killed while it writes has all that it acknowledged", async () => {
    const { acknowledged, problems } = await killAgainAndAgain(2, 7)
    assert.deepStrictEqual(problems, [])
    assert.isAbove(acknowledged, 10)
  }, 60_000)
})

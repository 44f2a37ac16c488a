/**
 * The one run with real processes, sockets and signals inside `npm test`: two nodes form a cluster, entries are
 * written through both, one is killed and noticed, everything that was acknowledged is read from the other, and it
 * leaves. Everything else of this kind is under test/long.
 */
import { fileURLToPath } from "node:url"
import { NodeServices } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { unpromoted, unsettled } from "../../src/cli/demo/Agreement.ts"
import * as Fleet from "../../src/cli/demo/Fleet.ts"
import * as FleetState from "../../src/cli/demo/FleetState.ts"
import { freePorts } from "../../src/cli/demo/FreePorts.ts"
import * as Writer from "../../src/cli/demo/Writer.ts"

const bin = fileURLToPath(new URL("../../src/cli/bin.ts", import.meta.url))
const both = { live: ["a", "b"], partitionCount: 31, backupCount: 1 }
const writes = 1000
const survivor = { ...both, live: ["b"] }

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const smoke = Effect.gen(function* () {
  const [a = 0, b = 0] = yield* freePorts("127.0.0.1", 2)
  const fleet = yield* Fleet.make({
    program: { command: process.execPath, args: [bin] },
    host: "127.0.0.1",
    ports: new Map([
      ["a", a],
      ["b", b]
    ]),
    args: ["--partition-count=31", "--cluster-id=smoke", "--drive"]
  })
  const writer = yield* Writer.make({ writes, partitionCount: both.partitionCount, writesPerSecond: writes }, fleet)
  const { books } = writer
  yield* Effect.all([fleet.start("a"), fleet.start("b")])
  const formed = yield* fleet.until((state) => unsettled(FleetState.reports(state), both), 15_000)

  yield* Effect.forkChild(writer.write)
  // Killed in the midst of it.
  yield* Effect.sleep(10).pipe(Effect.repeat({ until: () => books.acknowledged() > writes / 4 }), Effect.timeout(5000))
  const killedAtMs = yield* fleet.kill("a")
  const noticed = yield* fleet.until((state) => unpromoted(FleetState.reports(state), survivor), 5000)
  yield* fleet.until((state) => unsettled(FleetState.reports(state), survivor), 5000)

  yield* writer.finish(8000)
  const figures = books.figures(0)
  const verdict = yield* writer.verify(3000)

  yield* fleet.leave("b")
  yield* fleet.until((state) => (state.nodes.get("b")?.end === undefined ? ["b still runs"] : []), 5000)
  const { nodes } = yield* fleet.state
  const pids = [...formed.nodes.values()].map(({ pid }) => pid)
  return { detectionMs: noticed.atMs - killedAtMs, pids, nodes, figures, verdict }
})

it.live(
  "two processes form a cluster, one is killed, its partitions are promoted, no acknowledged write is lost, the other leaves with exit code 0",
  () =>
    Effect.gen(function* () {
      const { detectionMs, figures, nodes, pids, verdict } = yield* smoke
      assert.isBelow(detectionMs, 5000)
      assert.strictEqual(nodes.get("a")?.end, "signal")
      assert.strictEqual(nodes.get("b")?.end, 0)
      assert.strictEqual(pids.length, 2)
      assert.strictEqual(figures.acknowledged + figures.unknown, writes)
      assert.isAbove(figures.acknowledged, writes / 2)
      assert.deepStrictEqual({ ...verdict, read: 0 }, { read: 0, lost: 0, unread: 0, examples: [] })
      assert.isAbove(verdict.read, 0)
      for (const pid of pids) assert.isFalse(isAlive(pid))
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
  25_000
)

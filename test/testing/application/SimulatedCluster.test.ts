/** The simulator of programs replays exactly, finds what is planted, and treats a program as a machine would. */
import { spawnSync } from "node:child_process"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Deferred, Effect, Layer, Random, Stream } from "effect"
import { transition } from "../../../src/domain/protocol/Transition.ts"
import {
  AssignmentPlanner,
  ClusterDriver,
  ClusterService,
  FailureDetector,
  majority,
  planAssignment
} from "../../../src/index.ts"
import { SimulatedCluster, Simulation } from "../../../src/testing.ts"
import { forgetful, hasty, idle, monotonicMs, ticking } from "./Programs.ts"

const quick = { nodes: 3, profile: "calm", virtualMs: 12_000 } as const
const none: ReadonlyArray<Simulation.Fault> = []

// For a machine that is busy with other things.
const slow = 60_000

describe("a run of programs", () => {
  it.each(["calm", "crashes", "partitions", "chaos"] as const)(
    "of one seed gives the same trace twice (%s)",
    (profile) => {
      const options = { seed: 42, nodes: 3, profile, virtualMs: 20_000, transcript: true, messages: true }
      const first = SimulatedCluster.run(forgetful, options)
      assert.deepStrictEqual(SimulatedCluster.run(forgetful, options), first)
      assert.isAbove(first.turns, 1000)
    }
  )

  it(
    "of one seed gives the same trace in another process",
    () => {
      const script = new URL("Trace.ts", import.meta.url).pathname
      const { stdout } = spawnSync(process.execPath, [script], { encoding: "utf8" })
      const { traceHash } = SimulatedCluster.run(forgetful, { seed: 7, nodes: 3, profile: "chaos", virtualMs: 20_000 })
      assert.strictEqual(stdout.trim(), String(traceHash))
    },
    slow
  )

  it("of other seeds gives other traces, and does not depend on a transcript", () => {
    const traces = [1, 2, 3, 4].map((seed) => SimulatedCluster.run(idle, { ...quick, seed }).traceHash)
    assert.strictEqual(new Set(traces).size, 4)
    assert.strictEqual(SimulatedCluster.run(idle, { ...quick, seed: 1, transcript: true }).traceHash, traces[0])
  })

  it.effect("does not depend on the Effect that it is run by, nor on its clock", () =>
    Effect.sync(() => SimulatedCluster.run(idle, { ...quick, seed: 1 }).traceHash).pipe(
      Effect.map((traceHash) =>
        assert.strictEqual(traceHash, SimulatedCluster.run(idle, { ...quick, seed: 1 }).traceHash)
      )
    )
  )

  it("has the faults that the seed draws for the protocol alone", () => {
    const options = { seed: 9, nodes: 4, virtualMs: 20_000 }
    const { schedule } = SimulatedCluster.run(idle, options)
    assert.isNotEmpty(schedule)
    assert.deepStrictEqual(schedule, Simulation.run(options).schedule)
  })

  it("passes every message through the codec when told to, to the same end", () => {
    const { traceHash } = SimulatedCluster.run(idle, { ...quick, seed: 1 })
    assert.strictEqual(SimulatedCluster.run(idle, { ...quick, seed: 1, codec: true }).traceHash, traceHash)
  })

  it.each(["available", "majority"] as const)(
    "keeps the rules of the protocol under every profile, policy %s",
    (name) => {
      for (const profile of ["crashes", "partitions", "chaos"] as const) {
        const policy = name === "majority" ? { policy: majority } : {}
        SimulatedCluster.check(idle, { nodes: 3, profile, seeds: 2, virtualMs: 20_000, ...policy })
      }
    }
  )
})

describe("a planted bug", () => {
  it(
    "that needs ownership to move is found, told by few faults, and replayed from what is printed",
    () => {
      const calm = { nodes: 3, profile: "calm", seeds: 5, virtualMs: 12_000 } as const
      assert.strictEqual(SimulatedCluster.check(forgetful, calm).violations, 0)

      const error = assertThrows(() =>
        SimulatedCluster.check(forgetful, { nodes: 3, profile: "crashes", seeds: 20, virtualMs: 25_000 })
      )
      assert.match(error.message, /^seed \d+ FAILED: "whoever knows of another owner has stopped" does not hold/)
      assert.match(error.message, /#1 joined [^]*FAULT [^]*VIOLATION/)
      const printed = /faults: (\[[^]*\])\n\}\)/.exec(error.message)?.[1] ?? ""
      const faults: ReadonlyArray<Simulation.Fault> = JSON.parse(printed)
      assert.isAtMost(faults.length, 5)
      const replay = { seed: error.seed, nodes: 3, profile: "crashes", virtualMs: 25_000 } as const
      assert.match(SimulatedCluster.run(forgetful, { ...replay, faults }).violation ?? "", /n\d goes on/)
      for (const fault of faults) {
        const fewer = faults.filter((other) => other !== fault)
        assert.isTrue(SimulatedCluster.run(forgetful, { ...replay, faults: fewer }).ok, "a fault that is not needed")
      }
    },
    slow
  )

  it("that needs only an order of fibers is found without any fault, by some seeds", () => {
    const runs = Array.from({ length: 8 }, (_, i) =>
      SimulatedCluster.run(hasty, { ...quick, seed: i + 1, nodes: 1, faults: none, virtualMs: 2000 })
    )
    assert.isTrue(runs.some(({ ok }) => ok))
    assert.isTrue(runs.some(({ violation }) => /n1#1 has not completed: it waits.*a deadlock/.test(violation ?? "")))
  })
})

const assertThrows = (run: () => unknown): SimulatedCluster.ScenarioFailed => {
  try {
    run()
  } catch (error) {
    if (error instanceof SimulatedCluster.ScenarioFailed) return error
    throw error
  }
  throw new Error("nothing was found")
}

const drawn = (seed: number) => {
  const told: Array<number> = []
  SimulatedCluster.run(
    ticking(() => Effect.map(Random.next, (value) => told.push(value))),
    { ...quick, seed }
  )
  return told
}

/** Who noticed whose removal while n3 stood still for twenty seconds. */
const removals = (scenario: Partial<SimulatedCluster.Scenario>): ReadonlyArray<string> => {
  const told: Array<string> = []
  const faults: ReadonlyArray<Simulation.Fault> = [{ _tag: "Freeze", atMs: 6000, node: "n3", forMs: 20_000 }]
  const watching = (): SimulatedCluster.Scenario => ({
    ...scenario,
    program: ({ nodeId }) =>
      Effect.flatMap(ClusterService, ({ subscribeChanges }) =>
        Stream.runForEach(subscribeChanges, (change) =>
          Effect.sync(() => change._tag === "MemberRemoved" && told.push(`${nodeId}: ${change.member.nodeId}`))
        )
      )
  })
  const { violation } = SimulatedCluster.run(watching, { ...quick, seed: 3, faults, virtualMs: 30_000 })
  assert.isUndefined(violation)
  return told
}

describe("a part of the user's own", () => {
  it("is a detector: a frozen node is removed by the one that ships, and not by one that trusts everyone", () => {
    assert.includeMembers([...removals({})], ["n1: n3", "n2: n3"])
    assert.deepStrictEqual(removals({ detector: FailureDetector.layerTrusting }), [])
  })

  it("is a planner, whose plans are held to the rules of the table", () => {
    const onlyOldest = Layer.succeed(AssignmentPlanner, {
      plan: (request) => planAssignment({ ...request, members: request.members.slice(0, 1) })
    })
    const { violation } = SimulatedCluster.run(() => ({ ...idle(), planner: onlyOldest }), { ...quick, seed: 1 })
    assert.match(violation ?? "", /no agreement within .* partition 0 has 0 backups/)
  })
})

describe("a program", () => {
  it("gets no turns while its node is frozen, and finds its clock ahead afterwards", () => {
    const told: Array<number> = []
    const scenario = ticking(({ nodeId }) =>
      nodeId === "n2" ? Effect.map(monotonicMs, (ms) => told.push(ms)) : Effect.void
    )
    const faults: ReadonlyArray<Simulation.Fault> = [{ _tag: "Freeze", atMs: 6000, node: "n2", forMs: 3000 }]
    assert.isTrue(SimulatedCluster.run(scenario, { ...quick, seed: 3, faults }).ok)
    const gaps = told.slice(1).map((ms, i) => ms - (told[i] ?? 0))
    assert.approximately(Math.max(...gaps), 3000, 150)
    assert.isBelow(gaps.toSorted((a, b) => b - a)[1] ?? 0, 150)
  })

  it("sees its wall clock jump, and sleeps as long as before", () => {
    const told: Array<readonly [wallMs: number, ms: number]> = []
    const tell = Effect.map(Effect.all([Clock.currentTimeMillis, monotonicMs]), (times) => told.push(times))
    const faults: ReadonlyArray<Simulation.Fault> = [{ _tag: "ClockJump", atMs: 6000, node: "n1", byMs: -50_000 }]
    assert.isTrue(
      SimulatedCluster.run(
        ticking(() => tell),
        { ...quick, nodes: 1, seed: 3, faults }
      ).ok
    )
    const steps = told.slice(1).map(([wall, ms], i) => [wall - (told[i]?.[0] ?? 0), ms - (told[i]?.[1] ?? 0)] as const)
    assert.isBelow(Math.min(...steps.map(([wall]) => wall)), -49_000)
    assert.isBelow(Math.max(...steps.map(([, ms]) => ms)), 101)
  })

  it("runs its finalizers when its node is asked to leave, and none when it is killed", () => {
    const told: Array<string> = []
    const scenario = (): SimulatedCluster.Scenario => ({
      program: ({ nodeId, start }) => {
        const tell = (what: string) => Effect.sync(() => told.push(`${nodeId}#${start} ${what}`))
        return Effect.acquireUseRelease(
          tell("begins"),
          () => Effect.never,
          () => tell("ends")
        )
      }
    })
    const faults: ReadonlyArray<Simulation.Fault> = [
      { _tag: "Kill", atMs: 6000, node: "n1", withHost: false },
      { _tag: "Leave", atMs: 8000, node: "n2" }
    ]
    assert.isTrue(SimulatedCluster.run(scenario, { ...quick, seed: 3, faults }).ok)
    assert.includeMembers(told, ["n1#1 begins", "n1#2 begins", "n2#1 begins", "n2#1 ends", "n2#2 begins"])
    assert.notInclude(told, "n1#1 ends")
  })

  it("is not woken by another node while its own is frozen, nor after its death", () => {
    const told: Array<string> = []
    const scenario = (): SimulatedCluster.Scenario => {
      const bell = Deferred.makeUnsafe<void>()
      return {
        program: ({ nodeId, start }) =>
          nodeId === "n1"
            ? Effect.andThen(Effect.sleep("4 seconds"), Deferred.succeed(bell, undefined))
            : Effect.andThen(
                Deferred.await(bell),
                Effect.map(Clock.currentTimeMillis, (ms) => told.push(`${nodeId}#${start} ${ms % 100_000}`))
              )
      }
    }
    const faults: ReadonlyArray<Simulation.Fault> = [
      { _tag: "Kill", atMs: 2000, node: "n2", withHost: false },
      { _tag: "Freeze", atMs: 3000, node: "n3", forMs: 6000 }
    ]
    assert.isTrue(SimulatedCluster.run(scenario, { ...quick, seed: 3, faults }).ok)
    assert.notInclude(told.join(), "n2#1")
    const awake = told.find((line) => line.startsWith("n3#1"))
    assert.isAtLeast(Number(awake?.split(" ")[1]), 9000)
  })

  it("draws from a seed of its own process", () => {
    const first = drawn(5)
    assert.deepStrictEqual(drawn(5), first)
    assert.strictEqual(new Set(first).size, first.length)
    assert.notDeepEqual(drawn(6), first)
  })

  it("may bring further services, made of those of its node", () => {
    class Greeter extends Context.Service<Greeter, { readonly greet: Effect.Effect<string> }>()("Greeter") {
      static readonly layer = Layer.effect(
        Greeter,
        Effect.map(ClusterService, ({ masterId, nodeId }) => ({
          greet: Effect.map(masterId, (id) => `${nodeId} ${id._tag}`)
        }))
      )
    }
    const told: Array<string> = []
    const program = Effect.gen(function* () {
      told.push(yield* (yield* Greeter).greet)
    }).pipe(Effect.provide(Greeter.layer))
    assert.isTrue(SimulatedCluster.run(() => ({ program: () => program }), { ...quick, seed: 1 }).ok)
    assert.sameMembers(told, ["n1 Some", "n2 Some", "n3 Some"])
  })
})

const violationOf = (scenario: SimulatedCluster.Scenario) =>
  SimulatedCluster.run(() => scenario, { ...quick, nodes: 1, seed: 1, faults: none }).violation ?? ""

const fallsBack = () =>
  Effect.gen(function* () {
    const driver = yield* ClusterDriver
    yield* driver.commit(
      transition((step) => {
        const { joined } = step
        if (joined !== undefined) step.setJoined({ view: { ...joined.view, version: joined.view.version - 1 } })
      })
    )
  })

const fails = () => {
  throw new RangeError("a bug of the check")
}

const endless = () => Effect.ensuring(Effect.never, Effect.never)

describe("a run is broken by", () => {
  it("a program that fails or dies", () => {
    assert.match(
      violationOf({ program: () => Effect.fail(new RangeError("no more")) }),
      /program of n\d#1 failed.*no more/
    )
    assert.match(violationOf({ program: () => Effect.die("a bug") }), /program of n\d#1 failed.*a bug/)
  })

  it("a state of a driver that breaks a rule of the protocol, at the commit that makes it", () => {
    assert.match(violationOf({ program: fallsBack }), /the view version of n1@\d+ falls from/)
  })

  it("a check that throws", () => {
    assert.match(violationOf({ program: () => Effect.void, invariants: { fails } }), /defect.*a bug of the check/)
  })

  it("a program that never completes, with why", () => {
    const sleeps = { program: () => Effect.sleep("1 hour"), completes: true }
    assert.match(violationOf(sleeps), /program of n\d#1 has not completed: it sleeps/)
  })

  it("a program that does not end when its node is asked to leave", () => {
    const faults: ReadonlyArray<Simulation.Fault> = [{ _tag: "Leave", atMs: 8000, node: "n2" }]
    const { violation } = SimulatedCluster.run(() => ({ program: endless }), { ...quick, nodes: 2, seed: 1, faults })
    assert.match(violation ?? "", /n2#1 was asked to leave, and its finalizers have not/)
  })

  it("a program that goes on and on while no time passes", () => {
    assert.match(violationOf({ program: () => Effect.forever(Effect.yieldNow) }), /n\d@\d+ goes on and on/)
  })

  it("what does not come true after healing", () => {
    const eventually = { "nine nodes": () => "there are three" }
    assert.match(violationOf({ program: () => Effect.void, eventually }), /"nine nodes" does not hold: there are three/)
  })
})

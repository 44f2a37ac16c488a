/**
 * `npm run check:long`: short cuts of what takes longer than a test may. Each step is a command of its
 * own that can be run for as long as wanted; here it gets a few minutes at most. One closing line.
 *
 * `npm run check:long -- fuzz demo` runs only the named steps.
 */
import { spawn } from "node:child_process"

interface Step {
  readonly name: string
  readonly what: string
  readonly args: ReadonlyArray<string>
  readonly limitSeconds: number
}

const steps: ReadonlyArray<Step> = [
  {
    name: "fuzz",
    what: "mutated frames against all readers",
    args: ["test/fuzz/main.ts", "--frames", "1000000", "--seed", String(process.pid * 1000)],
    limitSeconds: 240
  },
  {
    name: "soak",
    what: "whole clusters with random faults, every policy",
    args: ["test/soak/main.ts", "--quick"],
    limitSeconds: 240
  },
  {
    name: "explore",
    what: "all orders of small models, and walks",
    args: ["test/long/Explore.ts", "4", "1"],
    limitSeconds: 300
  },
  {
    name: "mutants",
    what: "rules switched off, every sixteenth",
    args: ["test/mutation/main.ts", "--quick"],
    limitSeconds: 480
  },
  {
    name: "simulate",
    what: "the shipped simulator, 25 nodes",
    args: ["src/cli/bin.ts", "simulate", "--nodes", "25", "--seeds", "5", "--profile", "chaos", "--json"],
    limitSeconds: 120
  },
  {
    name: "placement",
    what: "1,000 random joins and leaves at the floor",
    args: ["test/long/PlacementHistory.ts"],
    limitSeconds: 120
  },
  { name: "codec bench", what: "codec against its peers", args: ["bench/main.ts", "codec", "phi"], limitSeconds: 180 },
  {
    name: "detection",
    what: "how long detection takes, and stalls, in virtual time",
    args: ["bench/Detection.ts", "100"],
    limitSeconds: 180
  },
  {
    name: "membership",
    what: "cost and speed of watching, all-to-all and on rings",
    args: ["bench/Membership.ts", "--quick"],
    limitSeconds: 240
  },
  {
    name: "migration",
    what: "partitions that move under load, real processes",
    args: ["bench/Migration.ts", "--quick", "--mib", "32", "--each-mib", "8"],
    limitSeconds: 300
  },
  {
    name: "maps",
    what: "operations on maps, real processes",
    args: ["bench/Maps.ts", "--quick", "--without-redis"],
    limitSeconds: 120
  },
  {
    name: "badInput",
    what: "wrong flags and settings, real processes",
    args: ["test/long/BadInput.ts"],
    limitSeconds: 120
  },
  {
    name: "processes",
    what: "crash, freeze, split, rolling restart as in the simulator; stalls, hostile strangers",
    args: ["test/long/Processes.ts"],
    limitSeconds: 420
  },
  {
    name: "store",
    what: "a store's process killed while it writes",
    args: ["test/long/StoreKill.ts", "6"],
    limitSeconds: 120
  },
  {
    name: "kills",
    what: "processes killed during migrations and all at once, or restarted in turn, no acknowledged write lost",
    args: ["test/long/Kills.ts", "--rounds", "5", "--restarts", "2", "--rolling", "3"],
    limitSeconds: 300
  },
  { name: "demo", what: "the demo, as JSON", args: ["src/cli/bin.ts", "demo", "--json"], limitSeconds: 90 }
]

const run = (step: Step): Promise<boolean> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [...step.args], { stdio: ["ignore", "inherit", "inherit"] })
    const timer = setTimeout(() => {
      console.log(`${step.name} took longer than ${step.limitSeconds} s`)
      child.kill("SIGKILL")
    }, step.limitSeconds * 1000)
    child.on("exit", (code) => {
      clearTimeout(timer)
      resolve(code === 0)
    })
  })

const wanted = process.argv.slice(2)
const chosen = steps.filter((step) => wanted.length === 0 || wanted.includes(step.name))
if (chosen.length === 0) {
  console.error(`no step "${wanted.join('", "')}"; there are ${steps.map((step) => step.name).join(", ")}`)
  process.exit(1)
}

const outcomes: Array<readonly [step: Step, passed: boolean, seconds: number]> = []
for (const step of chosen) {
  console.log(`── ${step.name}: ${step.what}`)
  const start = performance.now()
  const passed = await run(step)
  outcomes.push([step, passed, (performance.now() - start) / 1000])
}

console.log("")
for (const [step, passed, seconds] of outcomes) {
  console.log(
    `${passed ? "ok    " : "FAILED"} ${step.name.padEnd(15)} ${seconds.toFixed(1).padStart(6)} s  ${step.what}`
  )
}
const failed = outcomes.filter(([, passed]) => !passed).length
console.log(`${outcomes.length - failed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1

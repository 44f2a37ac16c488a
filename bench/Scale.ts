/**
 * `npm run bench:scale`: a large cluster in virtual time, invariants checked after every step, and the memory that it
 * takes. `-- NODES SECONDS [rings]`, by default 1,000 nodes for 20 virtual seconds, all-to-all.
 *
 * Node lets a heap of several GiB fill up with what is dead before it collects it; here it is given `heapMiB`, so that
 * the figure is what the run needs.
 */
import { spawnSync } from "node:child_process"
import { available } from "../src/domain/protocol/Quorum.ts"
import { allToAll, rings } from "../src/domain/protocol/Topology.ts"
import { random } from "../src/testing/simulation/Random.ts"
import { Safety } from "../src/testing/simulation/Safety.ts"
import { drawSetup, settle } from "../src/testing/simulation/Setup.ts"
import { World } from "../src/testing/simulation/World.ts"

const heapMiB = 1300
const heapFlag = `--max-old-space-size=${heapMiB}`

const wholeNumber = (name: string, text: string | undefined, fallback: number, most: number): number => {
  const value = text === undefined ? fallback : Number(text)
  if (Number.isInteger(value) && value > 0 && value <= most) return value
  console.error(`${name}: "${text}" is no whole number of 1…${most}`)
  process.exit(1)
}

const run = (nodes: number, seconds: number, isOnRings: boolean): void => {
  const setup = drawSetup("calm", random(4), nodes)
  const world: World = new World({
    seed: 3,
    policy: available,
    topology: isOnRings ? rings({ above: 0 }) : allToAll,
    skewedClocks: true,
    delay: setup.delay,
    codec: false,
    transcript: undefined,
    tamper: undefined,
    observe: (stepped, before) => safety.stepped(stepped, before),
    heard: (listener, speaker) => safety.heard(listener, speaker)
  })
  const safety = new Safety(() => world)
  world.hasSameSeeds = true
  settle(world, setup)
  for (let second = 1; second <= seconds; second++) {
    world.run(1000)
    const { system, user } = process.cpuUsage()
    const settled = world.living.filter(({ joined }) => joined?.settled === true).length
    const cpu = `${Math.round((system + user) / 1e6)} s of processor time`
    process.stderr.write(`\r${second} virtual s, ${settled} of ${nodes} joined, ${world.steps} steps, ${cpu}   `)
  }
  const peakMb = process.resourceUsage().maxRSS / 1000
  console.log(`\n${nodes} nodes, ${seconds} virtual seconds: at most ${peakMb.toFixed(0)} MB of memory`)
}

const [nodesText, secondsText, topology] = process.argv.slice(2)
const nodes = wholeNumber("nodes", nodesText, 1000, 1000)
const seconds = wholeNumber("seconds", secondsText, 20, 3600)
if (process.execArgv.includes(heapFlag)) run(nodes, seconds, topology === "rings")
else {
  const args = [heapFlag, import.meta.filename, ...process.argv.slice(2)]
  process.exitCode = spawnSync(process.execPath, args, { stdio: "inherit" }).status ?? 1
}

/**
 * Hunts for seeds that break a rule: `node test/simulation/hunt.ts FROM TO [POLICY]`, where the policy is
 * `available`, `majority`, `static` (majority of the nodes that a run starts with) or a number of nodes. One seed
 * alone is printed with its whole log.
 */
import { performance } from "node:perf_hooks"
import { policies, scenario } from "./Scenario.ts"

const [from, to] = [Number(process.argv[2] ?? 1), Number(process.argv[3] ?? process.argv[2] ?? 200)]
const policyFor = policies(process.argv[4] ?? "available")
const quantile = (sorted: ReadonlyArray<number>, share: number): number =>
  sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN

if (from === to) {
  const outcome = scenario(from, { logs: true, policyFor })
  console.log(outcome.log.join("\n"))
  console.log({ ...outcome, log: undefined })
} else {
  const startMs = performance.now()
  const healTimes: Array<number> = []
  let [bad, virtualMs, steps, split, halted] = [0, 0, 0, 0, 0]
  for (let seed = from; seed <= to; seed++) {
    const outcome = scenario(seed, { policyFor })
    virtualMs += outcome.virtualMs
    steps += outcome.steps
    if (outcome.lineages > 1) split++
    if (outcome.isHalted) halted++
    if (outcome.fault === undefined) {
      if (!outcome.isHalted) healTimes.push(outcome.healMs)
    } else {
      bad++
      console.log(`seed ${seed}: ${outcome.fault.slice(0, 600)} | ${outcome.story}`)
    }
    if ((seed - from + 1) % 500 === 0) console.log(`… seed ${seed}, ${bad} bad`)
  }
  const seconds = (performance.now() - startMs) / 1000
  healTimes.sort((a, b) => a - b)
  console.log(
    `seeds ${from}–${to}: ${bad} bad, ${split} of several lineages that merged, ${halted} halted by a loss for good; agreement after healing p50 ${quantile(healTimes, 0.5)} p99 ${quantile(healTimes, 0.99)} max ${quantile(healTimes, 1)} ms;` +
      ` ${Math.round(virtualMs / 1000 / seconds)} virtual s/s, ${Math.round(steps / seconds)} steps/s, ${seconds.toFixed(0)} s`
  )
  if (bad > 0) process.exitCode = 1
}

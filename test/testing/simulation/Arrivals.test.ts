import { describe, expect, it } from "vitest"
import { ClusterConfig } from "../../../src/domain/model/ClusterConfig.ts"
import { PhiAccrual, PhiAccrualConfig } from "../../../src/domain/detection/PhiAccrual.ts"
import { Arrivals } from "../../../src/testing/simulation/Arrivals.ts"
import { random } from "../../../src/testing/simulation/Random.ts"

describe("the arrivals of a simulated peer", () => {
  it.each([1, 2, 3, 7, 20, 200])("are judged as phi accrual judges a window of %i samples", (maxSampleSize) => {
    const draw = random(maxSampleSize)
    const config = { ...PhiAccrualConfig.fromClusterConfig(ClusterConfig.defaults), maxSampleSize }
    const arrivals = new Arrivals(config)
    for (const other of ["n0", "n2", "n3"]) arrivals.heard(other, 0)
    arrivals.forget("n2")
    let window = PhiAccrual.empty
    let nowMs = 1000
    let suspicions = 0
    for (let i = 0; i < 1500; i++) {
      nowMs += draw.chance(0.05)
        ? draw.between(0, 9000)
        : draw.chance(0.1)
          ? draw.between(0, 800)
          : draw.between(900, 1200)
      const atMs = draw.chance(0.02) ? nowMs - 50 : nowMs
      arrivals.heard("n1", atMs)
      // Others are heard as well, and one begins anew.
      if (i % 300 === 0) arrivals.forget("n3")
      arrivals.heard("n0", atMs + draw.between(0, 500))
      arrivals.heard("n3", atMs)
      window = PhiAccrual.sampledHeartbeat(window, atMs, config)
      // From both sides of where suspicion begins: there the last bit decides.
      let [early, late] = [nowMs, nowMs + 30_000]
      for (let k = 0; k < 50; k++) {
        const middle = (early + late) / 2
        const isAlive = PhiAccrual.isAlive(window, middle, config)
        if (arrivals.isAlive("n1", middle) !== isAlive)
          expect.fail(`after ${i} heartbeats, ${middle - nowMs} ms of silence`)
        if (isAlive) early = middle
        else {
          late = middle
          suspicions++
        }
      }
    }
    expect(suspicions).toBeGreaterThan(1000)
  })

  it("of a peer never heard are no reason for suspicion", () => {
    const config = PhiAccrualConfig.fromClusterConfig(ClusterConfig.defaults)
    expect(new Arrivals(config).isAlive("n1", 1e9)).toBe(true)
  })
})

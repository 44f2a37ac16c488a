/** What a heartbeat and a question for phi cost, and that neither depends on the length of the window. */
import { performance } from "node:perf_hooks"
import { pathToFileURL } from "node:url"
import type { ArrivalWindow } from "../src/domain/detection/ArrivalWindow.ts"
import { PhiAccrual, PhiAccrualConfig } from "../src/domain/detection/PhiAccrual.ts"
import type { Row } from "./Harness.ts"

const windowSizes = [10, 200, 10_000]
const heartbeats = 400_000
const queries = 400_000
const rounds = 5

/** A jitter of ±100 ms around the interval, the same in every run. */
const jitterMs = (i: number): number => ((i * 7919) % 201) - 100

/** Nanoseconds per call, the best of some rounds: what the code costs when nothing else wants the machine. */
const best = (calls: number, round: () => void): number => {
  let leastMs = Infinity
  for (let i = 0; i < rounds; i++) {
    const startMs = performance.now()
    round()
    leastMs = Math.min(leastMs, performance.now() - startMs)
  }
  return (leastMs * 1e6) / calls
}

export const rows = (): ReadonlyArray<Row> => {
  const measured: Array<Row> = []
  const smallest: Record<string, number> = {}
  const row = (name: string, size: number, value: number): void => {
    const first = (smallest[name] ??= value)
    const ratios = { [`a window of ${windowSizes[0]}`]: first / value }
    measured.push({ group: "phi", name: `${name}, ${size} samples`, value, unit: "ns", ratios })
  }
  for (const size of windowSizes) {
    const config = { ...PhiAccrualConfig.defaults, maxSampleSize: size }
    let window: ArrivalWindow = PhiAccrual.empty
    let nowMs = 0
    const beat = (count: number): void => {
      for (let i = 0; i < count; i++) {
        nowMs += config.heartbeatIntervalMs + jitterMs(i)
        window = PhiAccrual.heartbeat(window, nowMs, config)
      }
    }
    beat(3 * size)
    const heartbeatNs = best(heartbeats, () => beat(heartbeats))
    row("heartbeat", size, heartbeatNs)

    let sum = 0
    const ask = (fromMs: number, toMs: number): number =>
      best(queries, () => {
        const stepMs = (toMs - fromMs) / queries
        for (let i = 0; i < queries; i++) sum += PhiAccrual.phi(window, nowMs + fromMs + i * stepMs, config)
      })
    row("phi of a healthy peer", size, ask(0, 1100))
    row("phi of a silent peer", size, ask(1100, 5000))
    if (!(sum > 0)) throw new Error("phi was never above 0")
  }
  return measured
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const { name, value, unit, ratios } of rows()) console.log(name, value.toFixed(1), unit, ratios)
}

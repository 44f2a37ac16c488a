/**
 * `npm run bench`: every benchmark, peers in the same run, one table. `npm run bench -- codec phi` runs
 * only those; `--json` prints the rows as JSON on the last line.
 *
 * Absolute figures depend on the machine and on what else it does; the ratios are the point.
 */
import { readFileSync } from "node:fs"
import { cpus, totalmem } from "node:os"
import { formatRows, type Row } from "./Harness.ts"

const suites: Record<string, () => Promise<ReadonlyArray<Row>>> = {
  codec: async () => (await import("./Codec.ts")).rows(),
  phi: async () => (await import("./Phi.ts")).rows(),
  placement: async () => (await import("./Placement.ts")).rows(),
  core: async () => (await import("./Core.ts")).rows(),
  programs: async () => (await import("./Programs.ts")).rows(),
  transport: async () => (await import("./Transport.ts")).rows(),
  simulation: async () => (await import("./Simulation.ts")).rows(),
  detection: async () => (await import("./Detection.ts")).rows(),
  store: async () => (await import("./Store.ts")).rows()
}

const args = process.argv.slice(2)
const json = args.includes("--json")
const named = args.filter((arg) => !arg.startsWith("--"))
const unknown = named.filter((name) => !Object.hasOwn(suites, name))
if (unknown.length > 0) {
  console.error(`no benchmark "${unknown.join('", "')}"; there are ${Object.keys(suites).join(", ")}`)
  process.exit(1)
}

const versionOf = (name: string): string => {
  const manifest: unknown = JSON.parse(
    readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url), "utf8")
  )
  return typeof manifest === "object" && manifest !== null && "version" in manifest ? String(manifest.version) : "?"
}

const machine = `${cpus().length} × ${cpus()[0]?.model ?? "unknown CPU"}, ${Math.round(totalmem() / 2 ** 30)} GiB`
const versions = ["effect", "@msgpack/msgpack", "msgpackr"].map((name) => `${name} ${versionOf(name)}`).join(", ")
console.log(`${machine}\nNode ${process.version}, ${versions}\n`)

const rows: Array<Row> = []
for (const name of named.length > 0 ? named : Object.keys(suites)) {
  const run = suites[name]
  if (run === undefined) continue
  const start = performance.now()
  process.stderr.write(`${name} …`)
  rows.push(...(await run()))
  process.stderr.write(`\r${name}: ${((performance.now() - start) / 1000).toFixed(1)} s\n`)
}
console.log(formatRows(rows))
if (json) console.log(JSON.stringify(rows))

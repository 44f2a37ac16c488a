/**
 * `npm test`: type check, lint, format and tests, in this order, and one closing line that says how many
 * tests passed and failed. Each step prints as it goes; the first that fails ends the run.
 */
import { spawn } from "node:child_process"
import { readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const report = join(tmpdir(), `squadron-vitest-${process.pid}.json`)
const extra = process.argv.slice(2)

const steps: ReadonlyArray<readonly [name: string, command: string, args: ReadonlyArray<string>]> = [
  ["types", "tsc", ["--noEmit"]],
  ["lint", "oxlint", ["--type-aware"]],
  ["format", "oxfmt", ["--check", "."]],
  ["tests", "vitest", ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`, ...extra]]
]

const run = (command: string, args: ReadonlyArray<string>): Promise<number> =>
  new Promise((resolve, reject) => {
    const child = spawn(join("node_modules", ".bin", command), args, { stdio: "inherit" })
    child.on("error", reject)
    child.on("exit", (code) => resolve(code ?? 1))
  })

const counts = (): { readonly passed: number; readonly failed: number } => {
  const json: unknown = JSON.parse(readFileSync(report, "utf8"))
  if (typeof json === "object" && json !== null && "numPassedTests" in json && "numFailedTests" in json) {
    return { passed: Number(json.numPassedTests), failed: Number(json.numFailedTests) }
  }
  throw new Error("the test runner wrote no counts")
}

for (const [name, command, args] of steps) {
  console.log(`── ${name}`)
  const code = await run(command, args)
  if (name === "tests") {
    const { passed, failed } = counts()
    rmSync(report, { force: true })
    console.log(`${passed} passed, ${failed === 0 && code !== 0 ? 1 : failed} failed`)
  } else if (code !== 0) {
    console.log(`0 passed, 1 failed (${name})`)
  }
  if (code !== 0) process.exit(code)
}

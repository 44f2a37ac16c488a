/** The entry on an older Node: one line, exit code 1, and nothing else is loaded. */
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { stripTypeScriptTypes } from "node:module"
import { assert, describe, it } from "@effect/vitest"

const source = readFileSync(new URL("../../src/cli/bin.ts", import.meta.url), "utf8")
// A data URL cannot import relative files: had the check let it pass, the import would fail.
const entry = `data:text/javascript,${encodeURIComponent(stripTypeScriptTypes(source))}`

const runAs = (version: string) =>
  spawnSync(
    process.execPath,
    [
      "--input-type=module",
      "--eval",
      `Object.defineProperty(process, "versions", { value: { node: "${version}" } }); await import(${JSON.stringify(entry)})`
    ],
    { encoding: "utf8" }
  )

describe("bin", () => {
  it.each(["18.20.4", "20.20.2", "22.18.0"])("Node %s is refused in one line that names both versions", (version) => {
    const { status, stderr, stdout } = runAs(version)
    assert.strictEqual(status, 1)
    assert.strictEqual(stdout, "")
    assert.match(stderr, new RegExp(`^squadron: needs Node 22\\.19 or newer, and this is Node ${version};[^\\n]*\\n$`))
  })

  it.each(["22.19.0", "24.0.0", "26.1.0"])("Node %s goes on to load the program", (version) => {
    const { status, stderr } = runAs(version)
    assert.notInclude(stderr, "needs Node")
    assert.notStrictEqual(status, 0)
  })

  it("needs the version that package.json promises", () => {
    const { engines } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"))
    const [, major, minor] = /^>=(\d+)\.(\d+)$/.exec(engines.node) ?? []
    assert.include(source, `neededMajor = ${major}\n`)
    assert.include(source, `neededMinor = ${minor}\n`)
  })

  it("imports nothing before the check", () => {
    assert.notMatch(source, /^import /m)
  })
})

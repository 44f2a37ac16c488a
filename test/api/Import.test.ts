/** `import "effect-squadron"` is harmless: it runs nothing, and needs neither sockets nor the command line. */
import { spawnSync } from "node:child_process"
import { assert, describe, it } from "@effect/vitest"

/** Loads an entry in a process of its own and tells which of Node's modules that loaded. */
const loaded = (
  entry: string
): { readonly modules: ReadonlyArray<string>; readonly handles: number; readonly stderr: string } => {
  const script = `
    const before = new Set(process.moduleLoadList)
    const handles = process.getActiveResourcesInfo().length
    await import(${JSON.stringify(new URL(`../../src/${entry}`, import.meta.url).href)})
    const modules = process.moduleLoadList.filter((name) => !before.has(name))
    console.log(JSON.stringify({ modules, handles: process.getActiveResourcesInfo().length - handles }))`
  const result = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" })
  const { modules, handles } = JSON.parse(result.stdout)
  return { modules, handles, stderr: result.stderr }
}

describe("imports", () => {
  it("the flat API loads no socket, no process and no terminal module, and prints nothing", () => {
    const { handles, modules, stderr } = loaded("index.ts")
    assert.strictEqual(handles, 0, "the import left timers or handles behind")
    assert.strictEqual(stderr, "")
    const forbidden = /NativeModule (net|tls|http|https|dgram|child_process|cluster|readline|repl)$/
    assert.deepStrictEqual(
      modules.filter((name) => forbidden.test(name)),
      []
    )
  })

  it("the node entry does load sockets, so the check above can fail", () => {
    assert.isTrue(loaded("node.ts").modules.some((name) => name === "NativeModule net"))
  })
})

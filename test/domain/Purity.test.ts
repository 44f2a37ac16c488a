/** The domain is pure, imports point one way, and no file grows beyond what a person reads at once. */
import { readdirSync, readFileSync } from "node:fs"
import { join, relative, resolve } from "node:path"
import { describe, expect, it } from "vitest"

const root = resolve(import.meta.dirname, "../..")

interface SourceFile {
  readonly path: string
  readonly lines: ReadonlyArray<string>
}

const filesUnder = (folder: string): ReadonlyArray<SourceFile> =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path: relative(root, path), lines: readFileSync(path, "utf8").split("\n") }))

/** Speaks the interface of Schema's own parsers, whose results are Effect values; it runs none. */
const parserInterface = "src/domain/codec/ByteSchema.ts"

const source = filesUnder("src")
const domain = source.filter(({ path }) => path.startsWith("src/domain/"))

/** `path:line text` of the lines that match, comments left out. */
const linesWith = (files: ReadonlyArray<SourceFile>, pattern: RegExp): ReadonlyArray<string> =>
  files.flatMap(({ path, lines }) =>
    lines.flatMap((line, index) => {
      const code = line.replace(/^\s*(\/\/|\*|\/\*).*$/, "").replace(/\s\/\/ .*$/, "")
      return pattern.test(code) ? [`${path}:${index + 1} ${line.trim()}`] : []
    })
  )

/** Specifiers that a file imports or re-exports, with the names taken from `effect`. */
const importsOf = (file: SourceFile): ReadonlyArray<{ readonly names: string; readonly from: string }> => {
  const text = file.lines.join("\n")
  const statements = text.matchAll(/^(?:import|export)\s+(?:type\s+)?([^"'`;]*?)\s*from\s+"([^"]+)"/gm)
  const bare = text.matchAll(/^import\s+"([^"]+)"/gm)
  const dynamic = text.matchAll(/\bimport\("([^"]+)"\)/g)
  return [
    ...[...statements].map(([, names = "", from = ""]) => ({ names, from })),
    ...[...bare, ...dynamic].map(([, from = ""]) => ({ names: "", from }))
  ]
}

describe("the domain", () => {
  it("has files to check", () => {
    expect(domain.length).toBeGreaterThan(50)
  })

  it.each([
    ["no wall clock", /\bDate\.now\b|\bnew Date\b/],
    ["no monotonic clock", /\bperformance\b|\bhrtime\b/],
    ["no randomness", /\bMath\.random\b|\bcrypto\b/],
    ["no timers", /\b(setTimeout|setInterval|setImmediate|queueMicrotask|requestAnimationFrame)\b/],
    ["no output", /\bconsole\b/],
    ["no process, no environment", /\bprocess\.|\bglobalThis\.process\b/],
    ["no running of effects", /\bEffect\.(run|fork)/],
    ["no promises, no async", /\basync\b|\bawait\b|\bnew Promise\(/]
  ])("knows %s", (_, pattern) => {
    expect(linesWith(domain, pattern)).toEqual([])
  })

  it("imports nothing of Node", () => {
    const found = domain.flatMap((file) =>
      importsOf(file).flatMap(({ from }) => (/^node:|^@effect\/platform/.test(from) ? [`${file.path}: ${from}`] : []))
    )
    expect(found).toEqual([])
  })

  it("takes only data from effect: no Effect, Layer, Ref, Clock, Random, fiber, queue or stream", () => {
    const data =
      /^(Schema|SchemaAST|SchemaGetter|SchemaIssue|SchemaTransformation|Option|Result|HashMap|HashSet|Equal|Equivalence|Hash|Data|Order|Predicate|Brand|Chunk|pipe|Redacted)$/
    const found = domain.flatMap((file) =>
      importsOf(file).flatMap(({ names, from }) => {
        if (file.path === parserInterface) return []
        if (from !== "effect" && !from.startsWith("effect/")) return []
        if (from !== "effect") return [`${file.path}: ${from}`]
        const taken = names
          .replaceAll(/[{}]/g, "")
          .split(",")
          .map((name) =>
            name
              .replace(/^\s*type\s+/, "")
              .replace(/\s+as\s+.*$/, "")
              .trim()
          )
        return taken.filter((name) => name !== "" && !data.test(name)).map((name) => `${file.path}: ${name}`)
      })
    )
    expect(found).toEqual([])
  })
})

describe("the source", () => {
  it("imports in one direction: domain, services, layers, testing, cli", () => {
    const order = ["domain", "services", "layers", "testing", "cli"]
    const layerOf = (path: string): number =>
      order.indexOf((path.split("/")[1] ?? "").replace(/^testing\.ts$/, "testing"))
    const found = source.flatMap((file) => {
      const own = layerOf(file.path)
      if (own < 0) return []
      return importsOf(file).flatMap(({ from }) => {
        if (!from.startsWith(".")) return []
        const target = relative(root, resolve(root, file.path, "..", from))
        const their = layerOf(target)
        // What stands outside the four (the flat index) is above them all.
        return their > own || their < 0 ? [`${file.path} imports ${target}`] : []
      })
    })
    expect(found).toEqual([])
  })

  it("has no file of more than 400 lines", () => {
    const found = source.flatMap(({ path, lines }) => (lines.length > 400 ? [`${path}: ${lines.length}`] : []))
    expect(found).toEqual([])
  })

  it("refers to no issue, no session, no other machine's path", () => {
    const pattern =
      /\bissues?\s+#?\d|\bTODO\b|\bFIXME\b|\bsessions?\b.*\b(agent|assistant|model)\b|\/work\/|\/tmp\/|\bprototypes?\//i
    const found = [...source, ...filesUnder("test"), ...filesUnder("bench")]
      .filter(({ path }) => !path.endsWith("Purity.test.ts"))
      .flatMap(({ path, lines }) =>
        lines.flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1} ${line.trim()}`] : []))
      )
    expect(found).toEqual([])
  })
})

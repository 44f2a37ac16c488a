/**
 * What has been run on these very sources, one line of JSON for each share: a soak that is stopped goes on where it
 * was, and one whose sources have changed begins anew.
 */
import { createHash } from "node:crypto"
import { appendFileSync, existsSync, globSync, mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { Schema } from "effect"
import { type Share, ShareResult } from "./Share.ts"

const Line = Schema.fromJsonString(ShareResult)
const encodeLine = Schema.encodeSync(Line)
const decodeLine = Schema.decodeSync(Line)

/** Hash over the names and contents of all files of `src`, 16 hexadecimal digits. */
export const hashOfSources = (root: string): string => {
  const hash = createHash("sha256")
  for (const file of globSync("src/**/*.ts", { cwd: root }).toSorted()) {
    hash.update(`${file}\0`).update(readFileSync(join(root, file)))
  }
  return hash.digest("hex").slice(0, 16)
}

const keyOf = (share: Share): string => `${share.policy} ${share.size} ${share.from} ${share.to}`

export class Ledger {
  readonly file: string
  private readonly done = new Map<string, ShareResult>()

  constructor(directory: string, hash: string) {
    mkdirSync(directory, { recursive: true })
    this.file = join(directory, `${hash}.jsonl`)
    if (!existsSync(this.file)) return
    for (const line of readFileSync(this.file, "utf8").split("\n")) {
      if (line === "") continue
      const result = decodeLine(line)
      this.done.set(keyOf(result), result)
    }
  }

  resultOf(share: Share): ShareResult | undefined {
    return this.done.get(keyOf(share))
  }
  add(result: ShareResult): void {
    this.done.set(keyOf(result), result)
    appendFileSync(this.file, `${encodeLine(result)}\n`)
  }
}

/**
 * The database file: how it is opened, what stands in it, and what its errors mean.
 *
 * Records are ordered by the hash of their key, so that a leaf of the digest tree is one range of rows. They belong
 * to a generation, and a partition names its present one: a partition is dropped by forgetting its generation, whose
 * rows are removed bit by bit afterwards.
 */
import { DatabaseSync } from "node:sqlite"

/** Marks a file as ours ("SQDR"), and says which layout it has. */
const applicationId = 0x53514452
const layoutVersion = 1

export const pageBytes = 8192

/** Bytes of pages that SQLite keeps in memory. */
const cacheKib = 32 * 1024
/** Pages in the log after which they are moved into the file. */
const pagesPerCheckpoint = 4000

/** What a file's failure means, with what SQLite said. */
export interface FileProblem {
  /** `full`: the file has reached its maximum; `diskFull`: the disk has no room for it or its log. */
  readonly reason: "unavailable" | "locked" | "corrupted" | "version" | "full" | "diskFull"
  readonly detail: string
}

/** The file is not one that this release can use. */
class UnusableFile extends Error {
  override readonly name = "UnusableFile"
  readonly reason: FileProblem["reason"]
  constructor(reason: FileProblem["reason"], detail: string) {
    super(detail)
    this.reason = reason
  }
}

/**
 * Opens the file, made when there is none, and takes it for this process alone. `maxBytes` bounds its size. Throws;
 * see `problemOf`.
 */
export const openFile = (path: string, maxBytes: number): DatabaseSync => {
  const database = new DatabaseSync(path, { timeout: 0 })
  try {
    // Alone, and before the first look at the file: then SQLite needs no shared memory beside it.
    database.exec("PRAGMA locking_mode = EXCLUSIVE")
    const [{ application_id: owner } = {}] = database.prepare("PRAGMA application_id").all()
    const [{ user_version: version } = {}] = database.prepare("PRAGMA user_version").all()
    const [{ tables } = {}] = database.prepare("SELECT count(*) AS tables FROM sqlite_schema").all()
    const isNew = owner === 0 && tables === 0
    if (!isNew && owner !== applicationId) throw new UnusableFile("corrupted", "the file is another program's database")
    if (!isNew && version !== layoutVersion) {
      throw new UnusableFile("version", `the file has layout ${String(version)}, this release reads ${layoutVersion}`)
    }
    if (isNew) database.exec(`PRAGMA page_size = ${pageBytes}`)
    // Every commit is on the disk before it counts: the log is synchronized at each.
    database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
      PRAGMA cache_size = -${cacheKib}; PRAGMA wal_autocheckpoint = ${pagesPerCheckpoint};
      PRAGMA journal_size_limit = ${pagesPerCheckpoint * pageBytes};
      PRAGMA max_page_count = ${Math.max(16, Math.floor(maxBytes / pageBytes))}`)
    if (isNew) database.exec(`BEGIN IMMEDIATE; ${layout}; COMMIT`)
    else database.exec("BEGIN IMMEDIATE; COMMIT")
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** `at` is the millisecond of the last change; `tag` is empty for registers. */
const layout = `
  PRAGMA application_id = ${applicationId};
  PRAGMA user_version = ${layoutVersion};
  CREATE TABLE partitions (
    partition INTEGER PRIMARY KEY, generation INTEGER NOT NULL, records INTEGER NOT NULL, bytes INTEGER NOT NULL,
    note BLOB);
  CREATE TABLE garbage (generation INTEGER PRIMARY KEY);
  CREATE TABLE records (
    generation INTEGER NOT NULL, hash INTEGER NOT NULL, id BLOB NOT NULL, tag BLOB NOT NULL,
    digest INTEGER NOT NULL, at INTEGER NOT NULL, removed INTEGER NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (generation, hash, id, tag)) WITHOUT ROWID;
  CREATE INDEX tombstones ON records (generation, at) WHERE removed = 1`

/** What a thrown error means, or `undefined` when it does not come from the file. */
export const problemOf = (error: unknown): FileProblem | undefined => {
  if (error instanceof UnusableFile) return { reason: error.reason, detail: error.message }
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return undefined
  const reason = reasons.get(error.errcode & 0xff)
  return reason === undefined ? undefined : { reason, detail: error.message }
}

/** Bytes that one request may need at most, about: a file that is closer to its maximum is full. */
const largestRequestBytes = 4 * 1024 * 1024

/** The same, told apart: SQLite has one code for a full file and for a full disk. */
export const problemOn = (database: DatabaseSync, error: unknown): FileProblem | undefined => {
  const problem = problemOf(error)
  if (problem?.reason !== "full") return problem
  const [{ page_count: pages } = {}] = database.prepare("PRAGMA page_count").all()
  const [{ max_page_count: maxPages } = {}] = database.prepare("PRAGMA max_page_count").all()
  const hasRoom = Number(pages) + largestRequestBytes / pageBytes < Number(maxPages)
  return hasRoom ? { ...problem, reason: "diskFull" } : problem
}

/** By SQLite's primary result codes. */
const reasons: ReadonlyMap<number, FileProblem["reason"]> = new Map([
  [3, "unavailable"], // PERM
  [5, "locked"], // BUSY
  [6, "locked"], // LOCKED
  [8, "unavailable"], // READONLY
  [10, "unavailable"], // IOERR
  [11, "corrupted"], // CORRUPT
  [13, "full"], // FULL
  [14, "unavailable"], // CANTOPEN
  [24, "corrupted"], // FORMAT
  [26, "corrupted"] // NOTADB
])

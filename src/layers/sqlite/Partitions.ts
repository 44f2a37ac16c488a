/**
 * What is known of each partition besides its records: its generation, size and note, as rows that are all in memory,
 * and its digests, added up when they are first asked for. Changes are written with the transaction that makes them,
 * and read again when that fails.
 */
import type { DatabaseSync } from "node:sqlite"
import { DigestTree } from "../../domain/data/DigestTree.ts"
import type { MapRecord } from "../../domain/data/MapRecord.ts"
import { recordBytes } from "../../domain/data/MergeRecord.ts"
import { blob, integer, type KeyPlace, recordOf, recordRows, type RecordRows, type Row } from "./RecordRows.ts"

export interface Partition {
  readonly id: number
  readonly generation: number
  note: Uint8Array | undefined
  records: number
  bytes: number
  version: number
  digests: DigestTree | undefined
}

export interface Partitions {
  readonly rows: RecordRows
  readonly all: () => Iterable<Partition>
  readonly find: (id: number) => Partition | undefined
  /** The partition, made when there is none. */
  readonly use: (id: number) => Partition
  /** Puts a record in place of the row that holds its older version. */
  readonly put: (partition: Partition, place: KeyPlace, old: Row | undefined, record: MapRecord) => void
  readonly remove: (partition: Partition, row: Row) => void
  readonly setNote: (partition: Partition, note: Uint8Array) => void
  readonly drop: (partition: Partition) => void
  readonly digestsOf: (partition: Partition) => DigestTree
  /** Writes what has changed, at the end of a transaction. */
  readonly flush: () => void
  /** The transaction is on the disk. */
  readonly committed: () => void
  /** The transaction has failed: everything is as it was before. */
  readonly undone: () => void
  /** Removes some rows of dropped partitions; whether there are more. */
  readonly clean: (limit: number) => boolean
}

/** Before every row. */
export const start = { hash: -1, id: new Uint8Array(0), tag: new Uint8Array(0) }

export const partitionsOf = (database: DatabaseSync): Partitions => {
  const rows = recordRows(database)
  const save = database.prepare(`INSERT INTO partitions VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET generation = excluded.generation, records = excluded.records, bytes = excluded.bytes, note = excluded.note`)
  const forget = database.prepare("DELETE FROM partitions WHERE partition = ?")
  const addGarbage = database.prepare("INSERT INTO garbage VALUES (?)")
  const nextGarbage = database.prepare("SELECT generation FROM garbage LIMIT 1")
  const removeGarbage = database.prepare("DELETE FROM garbage WHERE generation = ?")
  const partitions = new Map<number, Partition>()
  const dirty = new Set<number>()
  let version = 0
  let lastGeneration = 0

  const load = (): void => {
    partitions.clear()
    for (const row of database.prepare("SELECT * FROM partitions").all()) {
      const id = integer(row, "partition")
      partitions.set(id, {
        id,
        generation: integer(row, "generation"),
        records: integer(row, "records"),
        bytes: integer(row, "bytes"),
        note: row["note"] === null ? undefined : blob(row, "note"),
        version: 0,
        digests: undefined
      })
    }
    const [{ last } = {}] = database
      .prepare(`SELECT max(coalesce((SELECT max(generation) FROM partitions), 0),
        coalesce((SELECT max(generation) FROM garbage), 0)) AS last`)
      .all()
    lastGeneration = Math.max(lastGeneration, typeof last === "number" ? last : 0)
  }
  load()

  const touch = (partition: Partition): void => {
    dirty.add(partition.id)
    partition.version = ++version
  }

  return {
    rows,
    all: () => partitions.values(),
    find: (id) => partitions.get(id),
    use: (id) => {
      const known = partitions.get(id)
      if (known !== undefined) return known
      const digests = DigestTree.make()
      const generation = ++lastGeneration
      const partition = { id, generation, records: 0, bytes: 0, note: undefined, version: 0, digests }
      partitions.set(id, partition)
      dirty.add(id)
      return partition
    },
    put: (partition, place, old, record) => {
      const digest = rows.put(partition.generation, place, record)
      if (partition.digests !== undefined) {
        DigestTree.replace(partition.digests, DigestTree.leafOf(place.hash), old?.digest ?? 0, digest)
      }
      partition.records += old === undefined ? 1 : 0
      partition.bytes += recordBytes(record) - (old === undefined ? 0 : recordBytes(recordOf(old.data)))
      touch(partition)
    },
    remove: (partition, row) => {
      rows.remove(partition.generation, row)
      if (partition.digests !== undefined) {
        DigestTree.replace(partition.digests, DigestTree.leafOf(row.hash), row.digest, 0)
      }
      partition.records--
      partition.bytes -= recordBytes(recordOf(row.data))
      touch(partition)
    },
    setNote: (partition, note) => {
      partition.note = note
      dirty.add(partition.id)
    },
    drop: (partition) => {
      addGarbage.run(partition.generation)
      partitions.delete(partition.id)
      dirty.add(partition.id)
    },
    digestsOf: (partition) => {
      if (partition.digests !== undefined) return partition.digests
      const digests = DigestTree.make()
      for (const [leaf, digest] of rows.leaves(partition.generation)) {
        DigestTree.replace(digests, DigestTree.firstLeaf + leaf, 0, digest)
      }
      partition.digests = digests
      return digests
    },
    flush: () => {
      for (const id of dirty) {
        const partition = partitions.get(id)
        if (partition === undefined || (partition.records === 0 && partition.note === undefined)) {
          forget.run(id)
          partitions.delete(id)
        } else {
          const { bytes, generation, note, records } = partition
          save.run(id, generation, records, bytes, note ?? null)
        }
      }
    },
    committed: () => dirty.clear(),
    undone: () => {
      dirty.clear()
      const versions = new Map([...partitions.values()].map(({ id, version }) => [id, version]))
      load()
      // What was seen of the failed changes must not count as unchanged.
      for (const partition of partitions.values()) partition.version = versions.get(partition.id) === 0 ? 0 : ++version
    },
    clean: (limit) => {
      const row = nextGarbage.get()
      if (row === undefined) return false
      const generation = integer(row, "generation")
      if (rows.removeSome(generation, limit) < limit) removeGarbage.run(generation)
      return true
    }
  }
}

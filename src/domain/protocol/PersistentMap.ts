/**
 * A map as a value, whose latest version is as fast as a mutable one. A node reads it many times with every
 * message and writes it once, and nobody but a reader of the past looks at an earlier version.
 *
 * The latest version holds the entries; the one before it only knows what it differs in, and takes them back
 * when it is read (Baker 1991, "Shallow binding makes functional arrays fast"). So that an earlier version
 * never pays for, nor keeps alive, a long history, a write now and then copies the entries and leaves the
 * earlier versions with their own: at most once in as many writes as there are entries.
 */

interface Difference<Key, Value extends object> {
  readonly key: Key
  /** `undefined`: not in this version. */
  readonly value: Value | undefined
  readonly from: PersistentMap<Key, Value>
}

/** Writes between two copies: as many as there are entries, and no fewer than this. */
const leastWrites = 64

/** Keys are compared as by `Map`; no value is `undefined`. Entries come in no particular order. */
export class PersistentMap<Key, Value extends object> {
  private entries: Map<Key, Value>
  /** Absent in the version that the entries belong to. */
  private difference: Difference<Key, Value> | undefined
  /** Versions that share the entries, in the order of their making. */
  private readonly writes: number

  private constructor(entries: Map<Key, Value>, writes: number) {
    this.entries = entries
    this.difference = undefined
    this.writes = writes
  }

  /** Of several entries with one key the last counts. */
  static from<Key, Value extends object>(entries: Iterable<readonly [Key, Value]>): PersistentMap<Key, Value> {
    return new PersistentMap(new Map(entries), 0)
  }

  /** Makes this the version that the entries belong to. */
  private own(): Map<Key, Value> {
    if (this.difference === undefined) return this.entries
    const path: Array<PersistentMap<Key, Value>> = [this]
    let owner = this.difference.from
    while (owner.difference !== undefined) {
      path.push(owner)
      owner = owner.difference.from
    }
    for (const version of path.toReversed()) {
      const { difference } = version
      if (difference === undefined) continue
      owner.difference = { key: difference.key, value: owner.entries.get(difference.key), from: version }
      if (difference.value === undefined) owner.entries.delete(difference.key)
      else owner.entries.set(difference.key, difference.value)
      version.difference = undefined
      owner = version
    }
    return this.entries
  }

  get size(): number {
    return this.own().size
  }
  has(key: Key): boolean {
    return this.own().has(key)
  }
  get(key: Key): Value | undefined {
    return this.own().get(key)
  }
  /** As it is now: what is written later does not show. */
  [Symbol.iterator](): IterableIterator<[Key, Value]> {
    return [...this.own()].values()
  }
  keys(): ReadonlyArray<Key> {
    return [...this.own().keys()]
  }
  values(): ReadonlyArray<Value> {
    return [...this.own().values()]
  }

  /** This map with one entry more, or another value for a key. */
  set(key: Key, value: Value): PersistentMap<Key, Value> {
    const entries = this.own()
    if (this.writes >= Math.max(leastWrites, entries.size)) {
      return new PersistentMap(new Map(entries).set(key, value), 0)
    }
    const next = new PersistentMap(entries, this.writes + 1)
    this.difference = { key, value: entries.get(key), from: next }
    entries.set(key, value)
    return next
  }

  /** This map without the key. */
  delete(key: Key): PersistentMap<Key, Value> {
    const entries = this.own()
    if (!entries.has(key)) return this
    if (this.writes >= Math.max(leastWrites, entries.size)) {
      const copy = new Map(entries)
      copy.delete(key)
      return new PersistentMap(copy, 0)
    }
    const next = new PersistentMap(entries, this.writes + 1)
    this.difference = { key, value: entries.get(key), from: next }
    entries.delete(key)
    return next
  }

  /** The entries that pass. */
  filter(keep: (value: Value, key: Key) => boolean): PersistentMap<Key, Value> {
    return PersistentMap.from([...this].filter(([key, value]) => keep(value, key)))
  }
}

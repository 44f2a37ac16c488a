/**
 * The demo's books against a store that may lose, delay and forget: what is right is accepted, and every loss is
 * noticed.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Books from "../../../src/cli/demo/Books.ts"

const options = { writes: 6, keys: 2, partitionCount: 1, maxPerPartition: 2 }

/** Begins the next write, which must be there. */
const begin = (books: Books.Books, nowMs = 0): Books.Write => {
  const write = books.next(0, nowMs)
  assert.isDefined(write)
  return write ?? { id: 0, key: "", value: "" }
}

const put = (books: Books.Books, outcome: Books.WriteOutcome, nowMs = 0): Books.Write => {
  const write = begin(books, nowMs)
  books.settle(write.id, outcome, 1, nowMs)
  return write
}

describe("which writes are made", () => {
  it("every value is another one, and of one key one write at a time is under way", () => {
    const books = Books.make(options)
    const [first, second] = [begin(books), begin(books)]
    assert.notStrictEqual(first.key, second.key)
    assert.notStrictEqual(first.value, second.value)
    books.settle(first.id, "done", 1, 0)
    assert.strictEqual(begin(books).key, first.key)
  })

  it("a partition has no more writes under way than it may, the others go on", () => {
    const books = Books.make({ writes: 100, keys: 20, partitionCount: 2, maxPerPartition: 2 })
    assert.strictEqual(Array.from({ length: 10 }, () => books.next(0, 0)).filter((write) => write).length, 4)
  })

  it("a write that was refused is made again, the very same, before others and beyond the last", () => {
    const books = Books.make({ ...options, writes: 1 })
    const refused = put(books, "refused")
    assert.strictEqual(books.refused(), 1)
    assert.isFalse(books.isDone())
    assert.deepStrictEqual(put(books, "done"), refused)
    assert.strictEqual(books.refused(), 0)
    assert.isTrue(books.isDone())
    assert.isUndefined(books.next(0, 0))
    assert.strictEqual(books.figures(0).refusals, 1)
  })

  it("a key whose last write is unknown is not written again; another takes its place", () => {
    const books = Books.make({ ...options, writes: 100, keys: 1 })
    const lost = put(books, "unknown")
    for (let i = 0; i < 10; i++) assert.notStrictEqual(put(books, "done").key, lost.key)
    assert.strictEqual(books.written().length, 2)
  })

  it("all are made, whatever the outcomes, and each is counted once", () => {
    const books = Books.make({ writes: 1000, keys: 50, partitionCount: 7, maxPerPartition: 3 })
    const outcomes = ["done", "unknown", "done", "refused", "done"] as const
    for (let i = 0; !books.isDone() && i < 5000; i++) {
      const write = books.next((i % 10) / 10, i)
      if (write !== undefined) books.settle(write.id, outcomes[i % outcomes.length] ?? "done", 1, i)
    }
    assert.isTrue(books.isDone())
    assert.strictEqual(books.acknowledged() + books.unknown(), 1000)
    assert.strictEqual(books.begun(), 1000)
  })
})

describe("what may be read in the end", () => {
  it("the last acknowledged value: none before it, and not nothing", () => {
    const books = Books.make({ ...options, keys: 1 })
    const [older, newer] = [put(books, "done"), put(books, "done")]
    assert.strictEqual(older.key, newer.key)
    assert.isTrue(books.isRight(newer.key, newer.value))
    assert.isFalse(books.isRight(newer.key, older.value))
    assert.isFalse(books.isRight(newer.key, undefined))
    assert.isFalse(books.isRight(newer.key, "what nobody wrote"))
  })

  it("or the write after it whose outcome is unknown", () => {
    const books = Books.make({ ...options, keys: 1 })
    const [older, acknowledged, unknown] = [put(books, "done"), put(books, "done"), put(books, "unknown")]
    assert.isTrue(books.isRight(unknown.key, unknown.value))
    assert.isTrue(books.isRight(unknown.key, acknowledged.value))
    assert.isFalse(books.isRight(unknown.key, older.value))
    assert.isFalse(books.isRight(unknown.key, undefined))
  })

  it("nothing, if all that is known of the key is a write whose outcome is unknown", () => {
    const books = Books.make({ ...options, keys: 1 })
    const { key, value } = put(books, "unknown")
    assert.isTrue(books.isRight(key, undefined))
    assert.isTrue(books.isRight(key, value))
    assert.deepStrictEqual(books.written(), [key])
  })

  it("keys of which every write was refused are not asked for", () => {
    const books = Books.make(options)
    put(books, "refused")
    assert.deepStrictEqual(books.written(), [])
  })
})

describe("the write gap of a partition", () => {
  it("lasts from the wish to the acknowledgement, and from one acknowledgement to the next", () => {
    const books = Books.make(options)
    const [first, second] = [begin(books, 100), begin(books, 110)]
    books.settle(first.id, "done", 1, 130)
    assert.strictEqual(books.takeGapMs(130), 30)
    books.settle(second.id, "done", 1, 180)
    assert.strictEqual(books.takeGapMs(180), 50)
    assert.strictEqual(books.figures(180).longestGapMs, 50)
  })

  it("does not count while nothing is wanted", () => {
    const books = Books.make(options)
    put(books, "done", 0)
    put(books, "done", 10_000)
    assert.strictEqual(books.takeGapMs(20_000), 0)
  })

  it("is not ended by a refusal or an unknown outcome, as long as something is wanted", () => {
    const books = Books.make(options)
    const [refused, unknown] = [begin(books, 0), begin(books, 0)]
    books.settle(refused.id, "refused", 1, 10)
    books.settle(unknown.id, "unknown", 1, 20)
    put(books, "done", 70)
    assert.strictEqual(books.figures(70).longestGapMs, 70)
  })

  it("counts while it is open", () => {
    const books = Books.make(options)
    begin(books, 0)
    assert.strictEqual(books.takeGapMs(40), 40)
    assert.strictEqual(books.figures(50).longestGapMs, 50)
  })

  it("does not count what a node that stands still was asked for, whose place others may take", () => {
    const books = Books.make({ ...options, maxPerPartition: 1 })
    const still = begin(books, 0)
    assert.isUndefined(books.next(0, 10))
    books.park(still.id, 20)
    const other = begin(books, 5000)
    assert.notStrictEqual(other.key, still.key)
    assert.isUndefined(books.next(0, 5000))
    books.settle(other.id, "done", 1, 5010)
    assert.strictEqual(books.takeGapMs(5010), 20)
    // Its outcome comes when the node goes on, and frees nothing a second time.
    books.park(still.id, 5020)
    const next = begin(books, 5020)
    books.settle(still.id, "unknown", 1, 6000)
    assert.isUndefined(books.next(0, 6000))
    books.settle(next.id, "done", 1, 6000)
    assert.strictEqual(books.unknown(), 1)
  })

  it("is told of the worst partition and of the one in the middle", () => {
    const books = Books.make({ writes: 3, keys: 50, partitionCount: 3, maxPerPartition: 1 })
    const writes = [begin(books), begin(books), begin(books)]
    writes.forEach(({ id }, i) => books.settle(id, "done", 1, 10 ** i))
    const { longestGapMs, longestGapPartition, medianGapMs } = books.figures(1000)
    assert.deepStrictEqual(
      { longestGapMs, longestGapPartition, medianGapMs },
      {
        longestGapMs: 100,
        longestGapPartition: 2,
        medianGapMs: 10
      }
    )
  })
})

describe("quantile", () => {
  it.each([
    [[], 0.5, 0],
    [[7], 0.99, 7],
    [[1, 2, 3, 4], 0.5, 2],
    [[1, 2, 3, 4], 0.99, 4]
  ] as const)("of %j at %d is %d", (sorted, share, value) => {
    assert.strictEqual(Books.quantile(sorted, share), value)
  })
})

/**
 * Order of strings by code point, which is the byte order of their UTF-8 and so the order in which
 * the reference sorts node ids. JavaScript's `<` compares UTF-16 units and puts a surrogate pair
 * (U+10000 and up) before U+E000…U+FFFF.
 */
import { Order } from "effect"

// Surrogates must sort above the rest of the basic plane: move them behind U+E000…U+FFFF.
const rank = (unit: number): number => (unit < 0xd800 ? unit : unit >= 0xe000 ? unit - 0x800 : unit + 0x2000)

/** Negative when `a` sorts first, positive when `b` does, 0 when they are the same string. */
export const compareCodePoints = (a: string, b: string): number => {
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) return rank(x) - rank(y)
  }
  return a.length - b.length
}

/** The same as an Effect `Order`. */
export const CodePointOrder: Order.Order<string> = Order.make((a, b) => {
  const order = compareCodePoints(a, b)
  return order < 0 ? -1 : order > 0 ? 1 : 0
})

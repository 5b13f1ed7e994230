// What the scenarios of both TypeScript clients share.
import assert from "node:assert/strict";

export const [base, odd] = process.argv.slice(2) as [string, string];

/** An address that nobody has registered. */
export const email = (who: string) => `${who}-${Date.now()}-${process.pid}@example.com`;

export const password = "harbour-lantern-42";
export const names = ["Oslo", "Lisbon", "Zürich", "Kyoto", "Quito"];
export const things = ["Watch the northern lights", "Walk the Camino", "Swim in the Dead Sea"];

/** Runs one step and says that it went well. */
export async function step<T>(name: string, what: () => Promise<T>): Promise<T> {
  const result = await what();
  console.log(`ok ${name}`);
  return result;
}

/** The value, which must be there. */
export function there<T>(value: T | null | undefined, what: string): T {
  assert.ok(value !== null && value !== undefined, `${what} is missing`);
  return value;
}

// Shared parts of the TypeScript scenarios.
import assert from "node:assert/strict";

export const [base, future] = process.argv.slice(2) as [string, string];

/** Returns an unused email address. */
export const email = (who: string) => `${who}-${Date.now()}-${process.pid}@example.com`;

export const password = "harbour-lantern-42";
export const names = ["Oslo", "Lisbon", "Zürich", "Kyoto", "Quito"];
export const things = ["Watch the northern lights", "Walk the Camino", "Swim in the Dead Sea"];

/** Runs a step and prints its name if it succeeded. */
export async function step<T>(name: string, what: () => Promise<T>): Promise<T> {
  const result = await what();
  console.log(`ok ${name}`);
  return result;
}

/** Returns the value; fails if there is none. */
export function there<T>(value: T | null | undefined, what: string): T {
  assert.ok(value !== null && value !== undefined, `${what} is missing`);
  return value;
}

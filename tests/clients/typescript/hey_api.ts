// The scenario with the client of @hey-api/openapi-ts.
import assert from "node:assert/strict";
import { base, email, names, future, password, step, there, things } from "./steps.js";
import * as first from "../../../target/clients/hey-api/v1/sdk.gen.js";
import { createClient as createFirst } from "../../../target/clients/hey-api/v1/client/index.js";
import * as api from "../../../target/clients/hey-api/v2/sdk.gen.js";
import { createClient } from "../../../target/clients/hey-api/v2/client/index.js";

async function v2() {
  let client = createClient({ baseUrl: `${base}/v2` });
  const auth = await step("v2 register", async () => {
    const { data } = await api.register({ client, body: { email: email("hey"), password, name: "Ada" } });
    assert.equal(there(data, "the session").user.role, "user");
    return there(data, "the session").access_token;
  });
  client = createClient({ baseUrl: `${base}/v2`, auth });
  const list = await step("v2 create", async () => {
    for (const name of names) {
      assert.equal(there((await api.createBucketlist({ client, body: { name } })).response, "the response").status, 201);
    }
    const { data } = await api.listBucketlists({ client, query: { q: "zürich" } });
    const list = there(there(data, "the page").data[0], "the list");
    for (const name of things) {
      const { data } = await api.createItem({ client, path: { bucketlist_id: list.id }, body: { name, due_on: "2027-02-01" } });
      assert.equal(there(data, "the item").due_on, "2027-02-01");
    }
    return list;
  });
  await step("v2 pages", async () => {
    const seen: string[] = [];
    let cursor: string | undefined = "";
    for (let round = 0; round < 10 && cursor !== undefined; round++) {
      const query: { cursor: string; per_page: number; sort: string } = { cursor, per_page: 2, sort: "created_at" };
      const page = there((await api.listBucketlists({ client, query })).data, "the page");
      seen.push(...page.data.map((each) => each.name));
      cursor = page.links.next === null ? undefined : there(new URL(page.links.next, base).searchParams.get("cursor"), "the cursor");
    }
    assert.deepEqual(seen, names);
  });
  await step("v2 change", async () => {
    const path = { bucketlist_id: list.id };
    const page = there((await api.listItems({ client, path })).data, "the page");
    const item_id = there(page.data[0], "the item").id;
    const { data } = await api.updateItem({ client, path: { ...path, item_id }, body: { done: true } });
    assert.equal(there(data, "the item").done, true);
  });
  await step("v2 values", async () => {
    const after = new Date("2025-01-01T00:00:00+02:00");
    const query = { created_after: after.toISOString(), include: ["total" as const] };
    assert.equal(there((await api.listBucketlists({ client, query })).data, "the page").meta.total, names.length);
    const path = { bucketlist_id: list.id };
    const item_id = there(there((await api.listItems({ client, path })).data, "the page").data[0], "the item").id;
    const { data } = await api.updateItem({ client, path: { ...path, item_id }, body: { due_on: null } });
    assert.equal(there(data, "the item").due_on, null);
    const created = there((await api.createExport({ client, body: { format: "csv" } })).data, "the export");
    assert.equal(created.format, "csv");
    assert.ok(new Date(created.created_at) > after);
  });
  await step("v2 error", async () => {
    const { error, response } = await api.createBucketlist({ client, body: { name: "" } });
    assert.equal(there(response, "the response").status, 422);
    assert.equal(there(error, "the problem").code, "VALIDATION_FAILED");
    assert.equal(there(error, "the problem").errors[0]?.pointer, "/name");
  });
  await step("v2 tolerance", async () => {
    const next = createClient({ baseUrl: `${future}/v2`, auth });
    const role: string = there((await api.getMe({ client: next })).data, "the account").role;
    assert.equal(role, "SOMETHING_NEW");
    assert.equal(there((await api.listBucketlists({ client: next })).data, "the page").data.length, names.length);
    const { error } = await api.getBucketlist({ client: next, path: { bucketlist_id: 987654 } });
    assert.equal(there(error, "the problem").status, 404);
  });
  await step("v2 csv", async () => {
    const { data } = await api.listItems({
      client, path: { bucketlist_id: list.id }, headers: { Accept: "text/csv" } as Record<string, string>, parseAs: "text",
    });
    const rows = String(there(data, "the rows")).trimEnd().split("\r\n");
    assert.equal(rows.length, 1 + things.length);
    assert.ok(there(rows[0], "the header").startsWith("id,bucketlist_id,name,"));
  });
}

async function v1() {
  let client = createFirst({ baseUrl: `${base}/v1` });
  const auth = await step("v1 register", async () => {
    const { data } = await first.register({ client, body: { email: email("hey1"), password, name: "Ada" } });
    return there(data, "the session").access_token;
  });
  client = createFirst({ baseUrl: `${base}/v1`, auth });
  await step("v1 create", async () => {
    for (const name of names) {
      const { data } = await first.createBucketlist({ client, body: { name, description: "A place." } });
      assert.equal(there(data, "the list").description, "A place.");
    }
  });
  await step("v1 pages", async () => {
    const seen: string[] = [];
    for (let number = 1; ; number++) {
      const page = there((await first.listBucketlists({ client, query: { page: number, per_page: 2 } })).data, "the page");
      seen.push(...page.data.map((each) => each.name));
      if (number >= page.meta.pages) break;
    }
    assert.deepEqual(seen.sort(), [...names].sort());
  });
  await step("v1 error", async () => {
    const { error, response } = await first.createBucketlist({ client, body: { name: "" } });
    assert.equal(there(response, "the response").status, 422);
    assert.equal(there(error, "the error").error.code, "VALIDATION_FAILED");
    assert.equal(there(error, "the error").error.details[0]?.field, "/name");
  });
  await step("v1 tolerance", async () => {
    const next = createFirst({ baseUrl: `${future}/v1`, auth });
    const role: string = there((await first.getMe({ client: next })).data, "the account").role;
    assert.equal(role, "SOMETHING_NEW");
  });
}

await v2();
await v1();

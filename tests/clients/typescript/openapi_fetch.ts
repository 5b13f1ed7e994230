// The scenario with openapi-typescript and openapi-fetch.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import { base, email, names, future, password, step, there, things } from "./steps.js";
import type { paths as V1 } from "../../../target/clients/openapi-typescript/v1.js";
import type { components, paths as V2 } from "../../../target/clients/openapi-typescript/v2.js";

/** The media types of a client. Lists have several. */
type Json = "application/json" | "application/problem+json";

async function v2() {
  const client = createClient<V2, Json>({ baseUrl: `${base}/v2` });
  const token = await step("v2 register", async () => {
    const { data } = await client.POST("/auth/register", { body: { email: email("ts"), password, name: "Ada" } });
    assert.equal(there(data, "the session").user.role, "user");
    return there(data, "the session").access_token;
  });
  const headers = { Authorization: `Bearer ${token}` };
  const list = await step("v2 create", async () => {
    for (const name of names) {
      const { response } = await client.POST("/bucketlists", { headers, body: { name } });
      assert.equal(response.status, 201);
    }
    const found = there((await client.GET("/bucketlists", { headers, params: { query: { q: "zürich" } } })).data, "the page");
    const list = there(found.data[0], "the list");
    for (const name of things) {
      const { data } = await client.POST("/bucketlists/{bucketlist_id}/items", {
        headers, params: { path: { bucketlist_id: list.id } }, body: { name, due_on: "2027-02-01" },
      });
      assert.equal(there(data, "the item").done, false);
      assert.equal(there(data, "the item").due_on, "2027-02-01");
    }
    return list;
  });
  await step("v2 pages", async () => {
    const seen: string[] = [];
    let cursor: string | undefined = "";
    for (let page = 0; page < 10 && cursor !== undefined; page++) {
      const query: { cursor: string; per_page: number; sort: string } = { cursor, per_page: 2, sort: "created_at" };
      const { data } = await client.GET("/bucketlists", { headers, params: { query } });
      seen.push(...there(data, "the page").data.map((each) => each.name));
      const next = there(data, "the page").links.next;
      cursor = next === null ? undefined : there(new URL(next, base).searchParams.get("cursor"), "the cursor");
    }
    assert.deepEqual(seen, names);
  });
  await step("v2 change", async () => {
    const path = { bucketlist_id: list.id };
    const item = there((await client.GET("/bucketlists/{bucketlist_id}/items", { headers, params: { path } })).data, "page").data[0];
    const { data } = await client.PATCH("/bucketlists/{bucketlist_id}/items/{item_id}", {
      headers: { ...headers, "Content-Type": "application/merge-patch+json" },
      params: { path: { ...path, item_id: there(item, "the item").id } },
      body: { done: true },
    });
    assert.equal(there(data, "the item").done, true);
    assert.notEqual(there(data, "the item").done_at, null);
  });
  await step("v2 values", async () => {
    const after = new Date("2025-01-01T00:00:00+02:00");
    const query = { created_after: after.toISOString(), include: ["total" as const] };
    const { data: page } = await client.GET("/bucketlists", { headers, params: { query } });
    assert.equal(there(page, "the page").meta.total, names.length);
    const path = { bucketlist_id: list.id };
    const item = there((await client.GET("/bucketlists/{bucketlist_id}/items", { headers, params: { path } })).data, "page").data[0];
    const { data: cleared } = await client.PATCH("/bucketlists/{bucketlist_id}/items/{item_id}", {
      headers: { ...headers, "Content-Type": "application/merge-patch+json" },
      params: { path: { ...path, item_id: there(item, "the item").id } },
      body: { due_on: null },
    });
    assert.equal(there(cleared, "the item").due_on, null);
    const { data: created } = await client.POST("/exports", { headers, body: { format: "csv" } });
    assert.equal(there(created, "the export").format, "csv");
    assert.ok(new Date(there(created, "the export").created_at) > after);
  });
  await step("v2 error", async () => {
    const { error, response } = await client.POST("/bucketlists", { headers, body: { name: "" } });
    const problem: components["schemas"]["Problem"] = there(error, "the problem");
    assert.equal(response.status, 422);
    assert.equal(problem.code, "VALIDATION_FAILED");
    assert.equal(problem.errors[0]?.pointer, "/name");
  });
  await step("v2 tolerance", async () => {
    const next = createClient<V2, Json>({ baseUrl: `${future}/v2` });
    const { data: me } = await next.GET("/users/me", { headers });
    const role: string = there(me, "the account").role;
    assert.equal(role, "SOMETHING_NEW");
    const { data: page } = await next.GET("/bucketlists", { headers });
    assert.equal(there(page, "the page").data.length, names.length);
    const { error } = await next.GET("/bucketlists/{bucketlist_id}", { headers, params: { path: { bucketlist_id: 987654 } } });
    assert.equal(there(error, "the problem").status, 404);
  });
  await step("v2 csv", async () => {
    const table = createClient<V2, "text/csv">({ baseUrl: `${base}/v2` });
    const { data } = await table.GET("/bucketlists/{bucketlist_id}/items", {
      headers: { ...headers, Accept: "text/csv" }, params: { path: { bucketlist_id: list.id } }, parseAs: "text",
    });
    const rows = there(data, "the rows").trimEnd().split("\r\n");
    assert.equal(rows.length, 1 + things.length);
    assert.ok(there(rows[0], "the header").startsWith("id,bucketlist_id,name,"));
  });
}

async function v1() {
  const client = createClient<V1>({ baseUrl: `${base}/v1` });
  const token = await step("v1 register", async () => {
    const { data } = await client.POST("/auth/register", { body: { email: email("ts1"), password, name: "Ada" } });
    return there(data, "the session").access_token;
  });
  const headers = { Authorization: `Bearer ${token}` };
  await step("v1 create", async () => {
    for (const name of names) {
      const { data } = await client.POST("/bucketlists", { headers, body: { name, description: "A place." } });
      assert.equal(there(data, "the list").description, "A place.");
    }
  });
  await step("v1 pages", async () => {
    const seen: string[] = [];
    for (let page = 1; ; page++) {
      const { data } = await client.GET("/bucketlists", { headers, params: { query: { page, per_page: 2 } } });
      seen.push(...there(data, "the page").data.map((each) => each.name));
      if (page >= there(data, "the page").meta.pages) break;
    }
    assert.deepEqual(seen.sort(), [...names].sort());
  });
  await step("v1 error", async () => {
    const { error, response } = await client.POST("/bucketlists", { headers, body: { name: "" } });
    assert.equal(response.status, 422);
    assert.equal(there(error, "the error").error.code, "VALIDATION_FAILED");
    assert.equal(there(error, "the error").error.details[0]?.field, "/name");
  });
  await step("v1 tolerance", async () => {
    const next = createClient<V1>({ baseUrl: `${future}/v1` });
    const { data } = await next.GET("/users/me", { headers });
    const role: string = there(data, "the account").role;
    assert.equal(role, "SOMETHING_NEW");
  });
}

await v2();
await v1();

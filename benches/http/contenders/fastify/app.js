// Fastify and pg with prepared statements, on PostgreSQL: `node app.js` with DATABASE_URL, PORT and JWT_SECRET. One process per core.

import cluster from "node:cluster";
import { createHash } from "node:crypto";
import jwt from "@fastify/jwt";
import Fastify from "fastify";
import pg from "pg";

const CORES = 2;
pg.types.setTypeParser(pg.types.builtins.INT8, Number);
pg.types.setTypeParser(pg.types.builtins.DATE, (text) => text);

const LIST = "id, name, description, items_total, items_done, created_at, updated_at";
const ITEM = "id, bucketlist_id, name, description, done, done_at, due_on, created_at, updated_at";
const SQL = {
  status: `SELECT users.id, users.disabled, sessions.revoked_at IS NOT NULL AS ended,
    EXISTS (SELECT 1 FROM revoked_tokens WHERE token_id = $2) AS revoked
    FROM sessions JOIN users ON users.id = sessions.user_id WHERE sessions.id = $1`,
  list: `SELECT ${LIST} FROM bucketlists WHERE id = $1 AND user_id = $2`,
  count: "SELECT count(*) AS total FROM bucketlists WHERE user_id = $1",
  lists: `SELECT ${LIST} FROM bucketlists WHERE user_id = $1 ORDER BY id LIMIT $2 OFFSET $3`,
  total: "SELECT items_total AS total FROM bucketlists WHERE id = $1 AND user_id = $2",
  items: `SELECT ${ITEM} FROM items WHERE bucketlist_id = $1 ORDER BY id LIMIT $2 OFFSET $3`,
  createList: `INSERT INTO bucketlists (user_id, name, description, search_text, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $5) RETURNING ${LIST}`,
  createItem: `WITH list AS (UPDATE bucketlists SET items_total = items_total + 1 WHERE id = $1 AND user_id = $2 RETURNING id)
    INSERT INTO items (bucketlist_id, name, description, search_text, done, created_at, updated_at)
    SELECT id, $3, $4, $5, FALSE, $6, $6 FROM list RETURNING ${ITEM}`,
};

const time = (micros) =>
  micros === null ? null : `${new Date(Math.floor(micros / 1000)).toISOString().slice(0, 19)}.${String(micros % 1e6).padStart(6, "0")}Z`;

const bucketlist = (row) => ({ ...row, created_at: time(row.created_at), updated_at: time(row.updated_at) });
const item = (row) => ({ ...bucketlist(row), done_at: time(row.done_at) });

function linked(row) {
  const path = `/v2/bucketlists/${row.id}`;
  const link = (href, method) => ({ href, method });
  return {
    ...bucketlist(row),
    items: null,
    _links: {
      self: link(path, "GET"), collection: link("/v2/bucketlists", "GET"), items: link(`${path}/items`, "GET"),
      add_item: link(`${path}/items`, "POST"), update: link(path, "PATCH"), replace: link(path, "PUT"), delete: link(path, "DELETE"),
    },
  };
}

function page(path, query, total, data) {
  const number = Math.max(query.page ?? 1, 1);
  const perPage = query.per_page ?? 20;
  const pages = Math.ceil(total / perPage);
  const last = Math.max(pages, 1);
  const link = (number) => `${path}?page=${number}&per_page=${perPage}`;
  return {
    data,
    meta: { page: number, per_page: perPage, total, pages },
    links: {
      self: link(number), first: link(1), prev: number > 1 ? link(Math.min(number - 1, last)) : null,
      next: number < last ? link(number + 1) : null, last: link(last),
    },
  };
}

async function serve() {
  const app = Fastify();
  const url = new URL(process.env.DATABASE_URL.replace("@%2F", "@localhost/%2F"));
  const [, socket, database] = url.pathname.match(/^\/(%2F[^/]*)\/(.*)$/) ?? [];
  const pool = new pg.Pool(
    socket ? { host: decodeURIComponent(socket), user: url.username, database, max: 4 } : { connectionString: process.env.DATABASE_URL, max: 4 },
  );
  const query = (name, values) => pool.query({ name, text: SQL[name], values });
  app.register(jwt, {
    secret: process.env.JWT_SECRET,
    verify: { algorithms: ["HS256"], allowedIss: "bucketlist", allowedAud: "bucketlist-api", requiredClaims: ["exp", "nbf"] },
  });
  app.addHook("onRequest", async (request, reply) => {
    try {
      await request.jwtVerify();
    } catch {
      return reply.code(401).send({});
    }
    const { sub, sid, jti } = request.user;
    const [status] = (await query("status", [sid, jti])).rows;
    if (!status || status.disabled || status.ended || status.revoked || status.id !== Number(sub)) return reply.code(401).send({});
    request.caller = status.id;
  });
  const send = (reply, value) => reply.type("application/json").send(JSON.stringify(value));
  const sendTagged = (reply, value) => {
    const body = JSON.stringify(value);
    const tag = createHash("sha256").update(body).digest("hex").slice(0, 24);
    return reply.header("ETag", `"${tag}"`).type("application/json").send(body);
  };
  const params = { type: "object", properties: { id: { type: "integer" } } };
  const querystring = {
    type: "object", additionalProperties: false,
    properties: { page: { type: "integer", minimum: 1 }, per_page: { type: "integer", minimum: 1, maximum: 100 } },
  };
  const body = {
    type: "object", additionalProperties: false, required: ["name"],
    properties: { name: { type: "string", minLength: 1, maxLength: 100 }, description: { type: ["string", "null"], maxLength: 1000 } },
  };
  const columns = ({ name, description = null }) => [name, description, `${name}\n${description ?? ""}`.toLowerCase(), Date.now() * 1000];

  app.get("/v2/bucketlists/:id", { schema: { params } }, async (request, reply) => {
    const [row] = (await query("list", [request.params.id, request.caller])).rows;
    return row ? sendTagged(reply, linked(row)) : reply.code(404).send({});
  });
  app.get("/v1/bucketlists", { schema: { querystring } }, async (request, reply) => {
    const { page: number = 1, per_page: perPage = 20 } = request.query;
    const [count, rows] = await Promise.all([
      query("count", [request.caller]), query("lists", [request.caller, perPage, (number - 1) * perPage]),
    ]);
    return send(reply, page("/v1/bucketlists", request.query, count.rows[0].total, rows.rows.map(bucketlist)));
  });
  app.get("/v1/bucketlists/:id/items", { schema: { params, querystring } }, async (request, reply) => {
    const { page: number = 1, per_page: perPage = 20 } = request.query;
    const { id } = request.params;
    const [total, rows] = await Promise.all([
      query("total", [id, request.caller]), query("items", [id, perPage, (number - 1) * perPage]),
    ]);
    if (total.rows.length === 0) return reply.code(404).send({});
    return send(reply, page(`/v1/bucketlists/${id}/items`, request.query, total.rows[0].total, rows.rows.map(item)));
  });
  app.post("/v2/bucketlists", { schema: { body } }, async (request, reply) => {
    try {
      const [row] = (await query("createList", [request.caller, ...columns(request.body)])).rows;
      return sendTagged(reply.code(201).header("Location", `/v2/bucketlists/${row.id}`), linked(row));
    } catch (error) {
      if (error.code === "23505") return reply.code(409).send({});
      throw error;
    }
  });
  app.post("/v1/bucketlists/:id/items", { schema: { params, body } }, async (request, reply) => {
    const { id } = request.params;
    const [row] = (await query("createItem", [id, request.caller, ...columns(request.body)])).rows;
    if (!row) return reply.code(404).send({});
    return send(reply.code(201).header("Location", `/v1/bucketlists/${id}/items/${row.id}`), item(row));
  });
  await app.listen({ port: Number(process.env.PORT), host: "127.0.0.1" });
}

if (cluster.isPrimary) {
  process.on("SIGTERM", () => process.exit(0));
  for (let core = 0; core < CORES; core++) cluster.fork();
} else {
  await serve();
}

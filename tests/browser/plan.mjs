// A plan of every operation, ordered by dependency. An operation of the document without a plan fails the test.

const started = `${Date.now().toString(36)}${Math.random().toString(36).slice(2, 6)}`;

/**
 * Executes operations of v2 with unchanged examples, on the sample data. Optional parameters are empty, so that examples of filters and conditions
 * neither cause errors nor hide data, and each creation has a new idempotency key.
 */
export function firstClicks({ docs, origin }) {
  const asDemo = (id, expect, more = {}) => ({ id, as: 'demo, unchanged example', expect: [expect], ...more });
  const rows = ({ json }) => {
    if (!json?.data?.length) throw new Error('the first page is empty');
  };
  const created = [];
  const createItem = (after = () => {}) => asDemo('createItem', 201, {
    after: ({ json }) => {
      after(`bucketlists/1/items/${json.id}`);
      created.push(`bucketlists/1/items/${json.id}`);
    },
  });
  return [
    ...['getMe', 'getBucketlist', 'getItem', 'getExport', 'getExportContent'].map((id) => asDemo(id, 200)),
    ...['listBucketlists', 'listItems', 'search', 'listSessions'].map((id) => asDemo(id, 200, { after: rows })),
    ...['updateBucketlist', 'replaceBucketlist', 'updateItem', 'replaceItem', 'updateMe'].map((id) => asDemo(id, 200)),
    createItem(),
    // The second request has another idempotency key and creates a second item.
    createItem((path) => {
      if (created.includes(path)) throw new Error('the first item was returned again');
    }),
    asDemo('createItems', 201, { after: ({ json }) => created.push(...json.data.map(({ id }) => `bucketlists/1/items/${id}`)) }),
    asDemo('createBucketlist', 201, {
      after: async ({ json }) => {
        created.push(`bucketlists/${json.id}`);
        const headers = { Authorization: `Bearer ${await docs.accessToken()}` };
        for (const path of created) await docs.page.request.delete(`${origin}/v2/${path}`, { headers });
      },
    }),
  ];
}

export function plan({ docs, origin, demo, admin, contract }) {
  const unique = `${contract}-${started}`;
  const inV2 = (...steps) => (contract === 'v2' ? steps : []);
  const visitor = { email: `docs-${unique}@example.com`, password: `first pass of ${unique}`, next: `second pass of ${unique}` };
  const target = { email: `docs-target-${unique}@example.com`, password: `target pass of ${unique}` };
  const ids = {};
  let keys = 0;
  let targetToken = '';
  let refreshToken = '';

  const list = () => ({ bucketlist_id: ids.list });
  const item = () => ({ ...list(), item_id: ids.item });
  const asUser = (id, expect, more = {}) => ({ id, as: 'user', expect: [expect], ...more });
  const asVisitor = (id, expect, more = {}) => ({ id, as: 'test user', expect: [].concat(expect), ...more });
  // Without credentials of an administrator, the operations are executed as a user and must return 403.
  const asAdmin = (id, expect, more = {}) => (admin
    ? { id, as: 'admin', expect: [expect], ...more }
    : { id, as: 'user', expect: [403], note: 'ok (rejected: no ADMIN_EMAIL)', ...more });
  // The idempotency key of the example may be in use: each creation has a new one.
  const newKey = () => inV2({ 'Idempotency-Key': `"docs ${unique} ${keys++}"` })[0];
  // Replaces email address and passwords of an example by those of the test account.
  const ownAccount = (current, next = current) => (example) => Object.fromEntries(Object.keys(example)
    .filter((name) => /password|^email$/.test(name))
    .map((name) => [name, name === 'email' ? visitor.email : /new/.test(name) ? next : current]));
  const becomes = (email) => () => docs.expectUser(email);

  return [
    asUser('getMe', 200),
    // The example's name with a suffix: names may be unique per user, and the seed may have taken it.
    asUser('createBucketlist', 201, { input: { parameters: newKey(), body: { name: `Docs check ${unique}` } }, after: ({ json }) => { ids.list = json?.id; } }),
    asUser('listBucketlists', 200),
    asUser('getBucketlist', 200, { input: () => ({ parameters: list() }) }),
    asUser('replaceBucketlist', 200, { input: () => ({ parameters: list(), body: { name: `Docs check, renamed ${unique}` } }) }),
    ...inV2(asUser('updateBucketlist', 200, { input: () => ({ parameters: list(), body: { name: `Docs check, again ${unique}` } }) })),
    asUser('createItem', 201, { input: () => ({ parameters: { ...list(), ...newKey() } }), after: ({ json }) => { ids.item = json?.id; } }),
    ...inV2(asUser('createItems', 201, { input: () => ({ parameters: { ...list(), ...newKey() } }) })),
    asUser('listItems', 200, { input: () => ({ parameters: list() }) }),
    asUser('getItem', 200, { input: () => ({ parameters: item() }) }),
    asUser('replaceItem', 200, { input: () => ({ parameters: item() }) }),
    ...inV2(
      asUser('updateItem', 200, { input: () => ({ parameters: item() }) }),
      asUser('search', 200),
      asUser('createExport', 202, { input: { parameters: newKey() }, after: ({ json }) => { ids.export = json?.id; } }),
      asUser('getExport', 200, { input: () => ({ parameters: { export_id: ids.export } }) }),
      // The seeded export is complete.
      asUser('getExportContent', 200, { input: { parameters: { export_id: 1 } } }),
      asUser('createImport', 201, {
        input: { parameters: newKey(), body: ({ records: [list] }) => ({ records: [{ ...list, name: `Docs check, imported ${unique}` }] }) },
        after: async ({ json }) => {
          const headers = { Authorization: `Bearer ${await docs.accessToken()}` };
          await docs.page.request.delete(`${origin}/v2/bucketlists/${json.bucketlists[0].bucketlist_id}`, { headers });
        },
      }),
    ),
    asUser('deleteItem', 204, { input: () => ({ parameters: item() }) }),
    asUser('deleteBucketlist', 204, { input: () => ({ parameters: list() }) }),

    // Registering, logging in and refreshing apply to the whole page.
    { ...asVisitor('register', 201, { input: { body: { email: visitor.email, password: visitor.password } }, after: becomes(visitor.email) }), before: () => docs.logOut(), as: 'anonymous' },
    asVisitor('updateMe', 200, { input: { body: ownAccount(visitor.password) } }),
    asVisitor('changePassword', 204, { input: { body: ownAccount(visitor.password, visitor.next) } }),
    asVisitor('login', 200, {
      as: 'anonymous',
      before: () => docs.logOut(),
      input: { body: { email: visitor.email, password: visitor.next } },
      after: async ({ json }) => { refreshToken = json?.refresh_token; await docs.expectUser(visitor.email); },
    }),
    asVisitor('refreshSession', 200, { input: () => ({ body: { refresh_token: refreshToken } }), after: becomes(visitor.email) }),
    ...inV2(
      asVisitor('listSessions', 200, { after: ({ json }) => { ids.session = json?.data.find((session) => session.current)?.id; } }),
      // The session of the page.
      asVisitor('endSession', 204, { input: () => ({ parameters: { session_id: ids.session } }), after: becomes(null) }),
    ),
    asVisitor('requestPasswordReset', 202, { input: { body: { email: visitor.email } } }),
    // The valid token is in a mail. That of the example must be rejected.
    asVisitor('confirmPasswordReset', [400, 401, 404, 410, 422], { note: 'ok (rejected: the token is in a mail)' }),
    asVisitor('logout', 204, { before: () => docs.logIn(visitor.email, visitor.next), after: becomes(null) }),
    ...inV2(asVisitor('endSessions', 204, { before: () => docs.logIn(visitor.email, visitor.next), after: becomes(null) })),
    // The account is deleted by the next operation.
    ...inV2(asVisitor('deleteAccount', 422, {
      before: () => docs.logIn(visitor.email, visitor.next),
      input: { body: ownAccount('not-the-password') },
    })),
    asVisitor('deleteMe', 204, {
      before: () => docs.logIn(visitor.email, visitor.next),
      input: { body: ownAccount(visitor.next) },
      after: becomes(null),
    }),

    {
      before: async () => {
        const registered = await docs.page.request.post(`${origin}/${contract}/auth/register`, { data: { name: 'Target', ...target } });
        if (registered.status() !== 201) throw new Error(`registering ${target.email}: ${registered.status()} ${await registered.text()}`);
        const session = await registered.json();
        ids.user = session.user.id;
        targetToken = session.access_token;
        await docs.logIn((admin ?? demo).email, (admin ?? demo).password);
      },
    },
    asAdmin('listUsers', 200),
    asAdmin('getUser', 200, { input: () => ({ parameters: { user_id: ids.user } }) }),
    asAdmin('updateUser', 200, { input: () => ({ parameters: { user_id: ids.user } }) }),
    ...inV2(
      asAdmin('listAuditEvents', 200),
      asAdmin('listUsage', 200),
      asAdmin('listDeprecations', 200),
      asAdmin('listApiClients', 200),
      asAdmin('createApiClient', 201, { input: () => ({ parameters: newKey(), body: { user_id: ids.user } }), after: ({ json }) => { ids.client = json?.id; } }),
      ...['getApiClient', 'updateApiClient', 'rotateApiClientKey']
        .map((id) => asAdmin(id, 200, { input: () => ({ parameters: { api_client_id: ids.client } }) })),
      asAdmin('deleteApiClient', 204, { input: () => ({ parameters: { api_client_id: ids.client } }) }),
      asAdmin('listJobs', 200, {
        after: ({ json }) => {
          // No worker runs the job in the seed data.
          ids.job = json?.data.find(({ last_error: error }) => error === 'cannot send mail: connection refused')?.id;
          ids.doneJob = json?.data.find(({ state }) => state === 'done')?.id;
        },
      }),
      ...['getJob', 'cancelJob', 'retryJob'].map((id) => asAdmin(id, 200, { input: () => ({ parameters: { job_id: ids.job } }) })),
      asAdmin('deleteJob', 204, { input: () => ({ parameters: { job_id: ids.doneJob } }) }),
      asAdmin('listJobSchedules', 200),
      asAdmin('runJobSchedule', 200),
      // Profiles are disabled by default.
      asAdmin('recordProfile', 404),
      asAdmin('listIncidents', 200, { after: ({ json }) => { ids.incident = json?.data[0]?.id; } }),
      asAdmin('listIncidentGroups', 200),
      asAdmin('resolveIncidentGroups', 200),
      asAdmin('listReplayTargets', 200),
      asAdmin('listExports', 200),
      // No server has the name in the example.
      asAdmin('replayIncident', 422, { input: () => ({ parameters: { incident_id: ids.incident } }) }),
      ...['getIncident', 'exportIncidentForPostman', 'exportIncidentForCurl', 'exportIncidentAsHar', 'updateIncident']
        .map((id) => asAdmin(id, 200, { input: () => ({ parameters: { incident_id: ids.incident } }) })),
      asAdmin('deleteIncident', 204, { input: () => ({ parameters: { incident_id: ids.incident } }) }),
    ),
    asAdmin('deleteUser', 204, { input: () => ({ parameters: { user_id: ids.user } }) }),
    {
      before: async () => {
        await docs.logOut();
        if (admin) return; // the administrator has deleted it
        await docs.page.request.delete(`${origin}/${contract}/users/me`, { data: { password: target.password }, headers: { Authorization: `Bearer ${targetToken}` } });
      },
    },
  ];
}

// Logs in if there is no access token, and refreshes the session before the token expires. Skipped for public operations.
const isPublic = Boolean(pm.request.auth) && pm.request.auth.type === "noauth";
const post = (path, body, then) => pm.sendRequest({
    url: pm.variables.get("base_url") + "{base}" + path,
    method: "POST",
    header: { "Content-Type": "application/json", Accept: "application/json" },
    body: { mode: "raw", raw: JSON.stringify(body) },
}, (error, response) => then(!error && response.code === 200 ? response.json() : undefined));
const storeSession = (session) => {
    pm.collectionVariables.set("access_token", session.access_token);
    pm.collectionVariables.set("refresh_token", session.refresh_token);
    pm.collectionVariables.set("token_expires_at", Date.now() + session.expires_in * 1000);
};
const logIn = () => {
    const email = pm.variables.get("account_email") || pm.variables.get("email");
    const password = pm.variables.get("account_email") ? pm.variables.get("account_password") : pm.variables.get("password");
    if (!email || !password) {
        console.error("No account: run the folder \"Set up\", or set email and password.");
        return;
    }
    post("/auth/login", { email, password }, (session) => {
        if (session) {
            storeSession(session);
        } else {
            console.error(`Cannot log in as ${email}.`);
        }
    });
};
if (!isPublic && !pm.variables.get("access_token")) {
    logIn();
} else if (!isPublic && Number(pm.variables.get("token_expires_at")) - Date.now() < 60000) {
    post("/auth/refresh", { refresh_token: pm.variables.get("refresh_token") }, (session) => session ? storeSession(session) : logIn());
}

// Whatever needs a token gets one: logs in when there is none, and exchanges it for the next one before it ends.
const isPublic = Boolean(pm.request.auth) && pm.request.auth.type === "noauth";
const post = (path, body, then) => pm.sendRequest({
    url: pm.variables.get("base_url") + "{base}" + path,
    method: "POST",
    header: { "Content-Type": "application/json", Accept: "application/json" },
    body: { mode: "raw", raw: JSON.stringify(body) },
}, (error, response) => then(!error && response.code === 200 ? response.json() : undefined));
const keep = (session) => {
    pm.collectionVariables.set("access_token", session.access_token);
    pm.collectionVariables.set("refresh_token", session.refresh_token);
    pm.collectionVariables.set("token_expires_at", Date.now() + session.expires_in * 1000);
};
const logIn = () => {
    const email = pm.variables.get("account_email") || pm.variables.get("email");
    const password = pm.variables.get("account_email") ? pm.variables.get("account_password") : pm.variables.get("password");
    if (!email || !password) {
        console.error("Nobody to log in: run the folder \"Set up\", or give email and password a value.");
        return;
    }
    post("/auth/login", { email, password }, (session) => {
        if (session) {
            keep(session);
        } else {
            console.error(`${email} could not log in.`);
        }
    });
};
if (!isPublic && !pm.variables.get("access_token")) {
    logIn();
} else if (!isPublic && Number(pm.variables.get("token_expires_at")) - Date.now() < 60000) {
    post("/auth/refresh", { refresh_token: pm.variables.get("refresh_token") }, (session) => session ? keep(session) : logIn());
}

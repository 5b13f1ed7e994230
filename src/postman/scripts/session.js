// Logs in if there is no access token, and refreshes the session before the token expires. Skipped for public operations. Requests
// are sent at the top level or from a callback, where Bruno's importer can add `await`.
const isPublic = {public}.includes(pm.info.requestName);
const api = (pm.environment.get("base_url") || pm.collectionVariables.get("base_url")) + "{base}";
const accountEmail = pm.collectionVariables.get("account_email") || pm.environment.get("email") || pm.collectionVariables.get("email");
const accountPassword = pm.collectionVariables.get("account_email")
    ? pm.collectionVariables.get("account_password")
    : pm.environment.get("password") || pm.collectionVariables.get("password");
const refreshToken = pm.collectionVariables.get("refresh_token");
const hasSession = Boolean(pm.collectionVariables.get("access_token")) && Boolean(refreshToken);
const isValid = hasSession && Number(pm.collectionVariables.get("token_expires_at")) - Date.now() > 60000;
const refreshRequest = {
    url: api + "/auth/refresh",
    method: "POST",
    header: { "Content-Type": "application/json", Accept: "application/json" },
    body: { mode: "raw", raw: JSON.stringify({ refresh_token: refreshToken }) },
};
const loginRequest = {
    url: api + "/auth/login",
    method: "POST",
    header: { "Content-Type": "application/json", Accept: "application/json" },
    body: { mode: "raw", raw: JSON.stringify({ email: accountEmail, password: accountPassword }) },
};
function storeSession(session) {
    pm.collectionVariables.set("access_token", session.access_token);
    pm.collectionVariables.set("refresh_token", session.refresh_token);
    pm.collectionVariables.set("token_expires_at", Date.now() + session.expires_in * 1000);
}
if (!isPublic && !isValid && hasSession) {
    pm.sendRequest(refreshRequest, function (error, response) {
        if (!error && response.code === 200) {
            storeSession(response.json());
        } else {
            pm.sendRequest(loginRequest, function (loginError, loginResponse) {
                if (!loginError && loginResponse.code === 200) {
                    storeSession(loginResponse.json());
                } else {
                    console.error("Cannot log in as " + accountEmail + ".");
                }
            });
        }
    });
} else if (!isPublic && !isValid && accountEmail && accountPassword) {
    pm.sendRequest(loginRequest, function (error, response) {
        if (!error && response.code === 200) {
            storeSession(response.json());
        } else {
            console.error("Cannot log in as " + accountEmail + ".");
        }
    });
} else if (!isPublic && !isValid) {
    console.error("No account: run the folder \"Set up\", or set email and password.");
}

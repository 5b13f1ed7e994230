// With admin_email and admin_password, sends the request as the administrator; the operations change a user created for the
// run. Otherwise, sends the request as a user without the role, and the test expects 403.
const administrator = { email: pm.variables.get("admin_email"), password: pm.variables.get("admin_password") };
const send = (path, body, then) => pm.sendRequest({
    url: pm.variables.get("base_url") + "{base}" + path,
    method: "POST",
    header: { "Content-Type": "application/json", Accept: "application/json" },
    body: { mode: "raw", raw: JSON.stringify(body) },
}, (error, response) => {
    if (error || response.code >= 300) {
        console.error(`${path}: ${error || response.text()}`);
    } else {
        then(response.json());
    }
});
const createManagedUser = () => {
    if (pm.collectionVariables.get("managed_user_id")) {
        return;
    }
    const email = pm.variables.replaceIn("managed.{{$guid}}@example.com");
    send("/auth/register", { email, password: pm.variables.replaceIn("{{$guid}}"), name: "Managed user" }, (session) => {
        pm.collectionVariables.set("managed_user_id", session.user.id);
        pm.collectionVariables.set("user_id", session.user.id);
    });
};
if (!administrator.email || !administrator.password) {
    pm.collectionVariables.set("admin_access_token", pm.variables.get("access_token"));
} else if (pm.collectionVariables.get("managed_user_id") && Number(pm.collectionVariables.get("admin_expires_at")) - Date.now() > 60000) {
    pm.collectionVariables.set("user_id", pm.collectionVariables.get("managed_user_id"));
} else {
    send("/auth/login", administrator, (session) => {
        pm.collectionVariables.set("admin_access_token", session.access_token);
        pm.collectionVariables.set("admin_expires_at", Date.now() + session.expires_in * 1000);
        createManagedUser();
    });
}

// With admin_email and admin_password: as the administrator, on an account made for this. Without: as an ordinary user,
// who must be refused.
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
const makeGuest = () => {
    if (pm.collectionVariables.get("guest_id")) {
        return;
    }
    const email = pm.variables.replaceIn("guest.{{$guid}}@example.com");
    send("/auth/register", { email, password: pm.variables.replaceIn("{{$guid}}"), name: "Guest" }, (session) => {
        pm.collectionVariables.set("guest_id", session.user.id);
        pm.collectionVariables.set("user_id", session.user.id);
    });
};
if (!administrator.email || !administrator.password) {
    pm.collectionVariables.set("admin_access_token", pm.variables.get("access_token"));
} else if (pm.collectionVariables.get("guest_id") && Number(pm.collectionVariables.get("admin_expires_at")) - Date.now() > 60000) {
    pm.collectionVariables.set("user_id", pm.collectionVariables.get("guest_id"));
} else {
    send("/auth/login", administrator, (session) => {
        pm.collectionVariables.set("admin_access_token", session.access_token);
        pm.collectionVariables.set("admin_expires_at", Date.now() + session.expires_in * 1000);
        makeGuest();
    });
}

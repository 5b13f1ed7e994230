// With admin_email and admin_password, sends the request as the administrator; the operations change a user created for the
// run. Otherwise, sends the request as a user without the role, and the test expects 403.
const adminApi = (pm.environment.get("base_url") || pm.collectionVariables.get("base_url")) + "{base}";
const adminEmail = pm.environment.get("admin_email") || pm.collectionVariables.get("admin_email");
const adminPassword = pm.environment.get("admin_password") || pm.collectionVariables.get("admin_password");
const managedUser = pm.collectionVariables.get("managed_user_id");
const managedEmail = pm.variables.replaceIn("managed.{{$guid}}@example.com");
const managedPassword = pm.variables.replaceIn("{{$guid}}");
if (!adminEmail || !adminPassword) {
    pm.collectionVariables.set("admin_access_token", pm.collectionVariables.get("access_token"));
} else if (managedUser && Number(pm.collectionVariables.get("admin_expires_at")) - Date.now() > 60000) {
    pm.collectionVariables.set("user_id", managedUser);
} else {
    pm.sendRequest({
        url: adminApi + "/auth/login",
        method: "POST",
        header: { "Content-Type": "application/json", Accept: "application/json" },
        body: { mode: "raw", raw: JSON.stringify({ email: adminEmail, password: adminPassword }) },
    }, function (error, response) {
        if (error || response.code !== 200) {
            console.error("Cannot log in as " + adminEmail + ".");
        } else {
            pm.collectionVariables.set("admin_access_token", response.json().access_token);
            pm.collectionVariables.set("admin_expires_at", Date.now() + response.json().expires_in * 1000);
        }
    });
    if (!managedUser) {
        pm.sendRequest({
            url: adminApi + "/auth/register",
            method: "POST",
            header: { "Content-Type": "application/json", Accept: "application/json" },
            body: { mode: "raw", raw: JSON.stringify({ email: managedEmail, password: managedPassword, name: "Managed user" }) },
        }, function (error, response) {
            if (error || response.code !== 201) {
                console.error("Cannot create a user.");
            } else {
                pm.collectionVariables.set("managed_user_id", response.json().user.id);
                pm.collectionVariables.set("user_id", response.json().user.id);
            }
        });
    }
}

// Each run creates an account, so that it can be repeated and does not affect other users.
const random = () => pm.variables.replaceIn("{{$guid}}");
pm.collectionVariables.set("account_email", `grace.${random()}@example.com`);
pm.collectionVariables.set("account_password", random());
pm.collectionVariables.set("new_password", random());
for (const name of ["access_token", "refresh_token", "other_access_token", "admin_access_token", "managed_user_id"]) {
    pm.collectionVariables.set(name, "");
}

// An account of its own for this run, so that it disturbs nobody and can be run again at once.
const random = () => pm.variables.replaceIn("{{$guid}}");
pm.collectionVariables.set("account_email", `grace.${random()}@example.com`);
pm.collectionVariables.set("account_password", random());
pm.collectionVariables.set("new_password", random());
for (const name of ["access_token", "refresh_token", "other_access_token", "admin_access_token", "guest_id"]) {
    pm.collectionVariables.set(name, "");
}

// Each run creates an account, so that it can be repeated and does not affect other users.
pm.collectionVariables.set("account_email", pm.variables.replaceIn("grace.{{$guid}}@example.com"));
pm.collectionVariables.set("account_password", pm.variables.replaceIn("{{$guid}}"));
pm.collectionVariables.set("new_password", pm.variables.replaceIn("{{$guid}}"));
for (const name of ["access_token", "refresh_token", "other_access_token", "admin_access_token", "managed_user_id"]) {
    pm.collectionVariables.set(name, "");
}

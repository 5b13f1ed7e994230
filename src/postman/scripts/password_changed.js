pm.collectionVariables.set("account_password", pm.variables.get("new_password"));
pm.collectionVariables.set("new_password", pm.variables.replaceIn("{{$guid}}"));

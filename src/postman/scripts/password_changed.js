pm.collectionVariables.set("account_password", pm.collectionVariables.get("new_password"));
pm.collectionVariables.set("new_password", pm.variables.replaceIn("{{$guid}}"));

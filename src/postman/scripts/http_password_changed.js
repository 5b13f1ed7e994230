client.global.set("account_password", client.global.get("new_password"));

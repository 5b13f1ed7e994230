client.global.set("account_email", "grace." + Date.now() + "@example.com");
client.global.set("account_password", "harbour-" + Math.random().toString(36).slice(2));
client.global.set("new_password", "lantern-" + Math.random().toString(36).slice(2));

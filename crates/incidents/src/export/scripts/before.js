(() => {
    // Postman replaces {{…}} in whatever it sends. Each name in the captured request therefore stands for itself until the
    // answer is there; our own variables have names that the request does not have.
    const shadows = %shadows%;
    const account = %account%;
    // What an earlier request has left behind, had it no answer.
    ["base_url", ...(account ? [account.email, account.password] : [])]
        .filter((name) => pm.variables.get(name) === "{{" + name + "}}")
        .forEach((name) => pm.variables.unset(name));
    const origin = pm.variables.replaceIn("{{base_url}}").replace(/\/+$/, "");
    const giveUp = (why) => {
        pm.test("%title%: " + why, () => { throw new Error(why); });
        pm.execution.skipRequest();
    };
    const go = (token) => {
        pm.variables.set("%origin%", origin);
        if (account) {
            pm.variables.set(account.token, token);
        }
        shadows.forEach((name) => pm.variables.set(name, "{{" + name + "}}"));
    };
    if (!account) {
        go();
        return;
    }
    const email = pm.variables.get(account.email);
    const password = pm.variables.get(account.password);
    if (!email || !password) {
        giveUp("give " + account.email + " and " + account.password + " those of the account that stands for " + account.who);
        return;
    }
    if (pm.variables.get(account.token)) {
        go(pm.variables.get(account.token));
        return;
    }
    pm.sendRequest({
        url: origin + "/v2/auth/login",
        method: "POST",
        header: { "Content-Type": "application/json" },
        body: { mode: "raw", raw: JSON.stringify({ email, password }) },
    }, (error, response) => {
        if (error || response.code !== 200) {
            giveUp("logging in at " + origin + " failed: " + (error ? error.message || error : "status " + response.code));
        } else {
            go(response.json().access_token);
        }
    });
})();

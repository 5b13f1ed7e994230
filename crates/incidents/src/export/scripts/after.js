(() => {
    const origin = pm.variables.get("%origin%");
    ["%origin%", ...%shadows%].forEach((name) => pm.variables.unset(name));
    const test = (what, check) => pm.test("%title%: " + what, check);
    const body = pm.request.body;
    if (%file%) {
        test("the file with the body was sent", () => {
            pm.expect(body.file.value, "%file_name% is not in the working directory").to.not.equal(null);
        });
    } else {
        test("the body sent is the one that was captured", () => {
            const sent = (body && body.raw) || "";
            pm.expect(require("crypto-js").SHA256(sent).toString()).to.equal("%sha256%");
        });
    }
    test("the target sent is the one that was captured", () => {
        pm.expect(pm.request.url.toString()).to.equal(origin + %target%);
    });
    test("the status is %status% again", () => pm.response.to.have.status(%status%));
    const code = %code%;
    if (code) {
        test("the code is " + code + " again", () => {
            const answer = pm.response.json();
            pm.expect(answer.error ? answer.error.code : answer.code).to.equal(code);
        });
    }
})();

pm.test("search: what was just written is found", () => pm.expect(pm.response.json().data).to.not.be.empty);

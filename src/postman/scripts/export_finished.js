// The file is made after the answer: this request is sent again until it is there.
const progress = pm.response.json();
const asked = Number(pm.variables.get("export_asked") || 0) + 1;
if (["queued", "running"].includes(progress.state) && asked < 40) {
    pm.variables.set("export_asked", asked);
    pm.execution.setNextRequest(pm.info.requestId);
    setTimeout(() => {}, 250);
} else {
    pm.variables.unset("export_asked");
    pm.test("getExport: the export is finished", () => pm.expect(progress.state).to.eql("finished"));
}

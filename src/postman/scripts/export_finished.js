// A background job writes the file: send the request again until the export is finished.
const progress = pm.response.json();
const attempts = Number(pm.variables.get("export_attempts") || 0) + 1;
if (["queued", "running"].includes(progress.state) && attempts < 40) {
    pm.variables.set("export_attempts", attempts);
    pm.execution.setNextRequest(pm.info.requestId);
    setTimeout(() => {}, 250);
} else {
    pm.variables.unset("export_attempts");
    pm.test("getExport: the export is finished", () => pm.expect(progress.state).to.eql("finished"));
}

"""Checks of the Helm chart that its linter and the schemas of Kubernetes do not make: references between objects, security, and values
that must be rejected. Usage: chart.py HELM. Prints one line per check, and exits with 1 if one failed."""

import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy/helm/bucketlist"
REQUIRED = ["--set", "image.repository=registry.example.com/bucketlist", "--set", "existingSecret=bucketlist"]
REJECTED = {
    "a missing Secret": ["--set", "existingSecret="],
    "a missing image": ["--set", "image.repository="],
    "an unknown value": ["--set", "replicas=3"],
    "a secret among the settings": ["--set", "settings.JWT_SECRET=abc"],
    "a setting that the chart derives": ["--set", "settings.SHUTDOWN_DELAY=1s"],
    "a lower-case setting": ["--set", "settings.log_level=info"],
    "a negative number of replicas": ["--set", "replicaCount=-1"],
    "a text as number": ["--set-string", "databasePoolSize=ten"],
    "an ingress without a host": ["--set", "ingress.enabled=true"],
    "a public URL with a slash at its end": ["--set", "publicUrl=https://example.com/api/"],
    "a public URL with a query": ["--set", "publicUrl=https://example.com/api?x=1"],
    "an ingress with a relative path": ["--set", "ingress.enabled=true,ingress.host=example.com,ingress.path=api"],
    "a worker without the Deployment for it": ["--set", "settings.WORKER=false"],
    "more replicas at least than at most": ["--set", "autoscaling.enabled=true,autoscaling.minReplicas=9,autoscaling.maxReplicas=3"],
    "the port of the API for metrics": ["--set", "metrics.port=8000"],
}

helm = sys.argv[1]
failures = 0


def check(title: str, problems: list[str]) -> None:
    global failures
    failures += bool(problems)
    print(f"{'FAILED' if problems else 'ok'}: {title}{''.join(f'{chr(10)}    {problem}' for problem in problems)}")


def render(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [helm, "template", "lists", str(CHART), "--namespace", "lists", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def is_hook(thing: dict) -> bool:
    return "helm.sh/hook" in thing["metadata"].get("annotations", {})


def pod_of(thing: dict) -> dict | None:
    if thing["kind"] == "Pod":
        return thing
    return thing["spec"]["template"] if thing["kind"] in ("Deployment", "Job") else None


def problems_of_pod(name: str, pod: dict, settings: set[str]) -> list[str]:
    problems = []
    spec = pod["spec"]
    if not spec["securityContext"].get("runAsNonRoot"):
        problems.append(f"{name}: may run as root")
    if spec.get("automountServiceAccountToken") is not False:
        problems.append(f"{name}: has a token for the API of Kubernetes")
    for container in spec["containers"]:
        context = container["securityContext"]
        if not context["readOnlyRootFilesystem"] or context["allowPrivilegeEscalation"] or context["capabilities"]["drop"] != ["ALL"]:
            problems.append(f"{name}: weak security context")
        if "memory" not in container["resources"].get("limits", {}):
            problems.append(f"{name}: no memory limit")
        names = [variable["name"] for variable in container.get("env", [])]
        problems += [f"{name}: unknown setting {variable}" for variable in names if variable not in settings]
        problems += [f"{name}: {variable} is set twice" for variable in set(names) if names.count(variable) > 1]
        problems += [f"{name}: {variable['name']} is not a string" for variable in container.get("env", []) if not isinstance(variable["value"], str)]
        volumes = {volume["name"] for volume in spec.get("volumes", [])}
        problems += [f"{name}: no volume {mount['name']}" for mount in container.get("volumeMounts", []) if mount["name"] not in volumes]
    return problems


def selects(selector: dict, labels: dict) -> bool:
    matches = selector.get("matchLabels", {}).items() <= labels.items()
    return matches and all(labels.get(e["key"]) in e["values"] for e in selector.get("matchExpressions", []))


def problems_of(documents: list[dict], settings: set[str]) -> list[str]:
    problems = []
    by_kind = {kind: [d for d in documents if d["kind"] == kind] for kind in {d["kind"] for d in documents}}
    [deployment] = [d for d in by_kind["Deployment"] if not d["metadata"]["name"].endswith("-worker")]
    workers = [d for d in by_kind["Deployment"] if d is not deployment]
    pod = deployment["spec"]["template"]
    [container] = pod["spec"]["containers"]
    labels, variables = pod["metadata"]["labels"], {v["name"]: v["value"] for v in container["env"]}
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}

    for thing in documents:
        if (template := pod_of(thing)) is not None:
            problems += problems_of_pod(f"{thing['kind']} {thing['metadata']['name']}", template, settings)
    if "Secret" in by_kind:
        problems.append("the chart contains a Secret")
    if not selects(deployment["spec"]["selector"], labels):
        problems.append("the Deployment does not select its pods")
    for worker in workers:
        template = worker["spec"]["template"]
        if not selects(worker["spec"]["selector"], template["metadata"]["labels"]) or selects(deployment["spec"]["selector"], template["metadata"]["labels"]):
            problems.append("the Deployment of the workers does not select its pods, or that of the servers does")
        [process] = template["spec"]["containers"]
        if process["image"] != container["image"]:
            problems.append("the workers have a different image than the servers")
        shutdown = next(int(v["value"].removesuffix("s")) for v in process["env"] if v["name"] == "SHUTDOWN_TIMEOUT")
        if template["spec"]["terminationGracePeriodSeconds"] <= shutdown:
            problems.append("a worker is killed before its jobs have stopped")
        if [port["containerPort"] for port in process.get("ports", [])] != [port for name, port in ports.items() if name == "metrics"]:
            problems.append("the ports of the workers differ from those of the metrics")
        if not all(selects(policy["spec"]["podSelector"], template["metadata"]["labels"]) for policy in by_kind.get("NetworkPolicy", [])):
            problems.append("the NetworkPolicy does not select the workers")
    if (variables.get("WORKER") == "false") != bool(workers):
        problems.append("background jobs do not run, or run in the servers and the workers")
    pods = [labels] + [worker["spec"]["template"]["metadata"]["labels"] for worker in workers]
    for service in by_kind["Service"]:
        if not any(service["spec"]["selector"].items() <= labels.items() for labels in pods):
            problems.append(f"Service {service['metadata']['name']} selects no pods")
        problems += [f"Service: no port {port['targetPort']}" for port in service["spec"]["ports"] if port["targetPort"] not in ports]
    seconds = sum(int(variables[name].removesuffix("s")) for name in ("SHUTDOWN_DELAY", "SHUTDOWN_TIMEOUT"))
    if pod["spec"]["terminationGracePeriodSeconds"] <= seconds:
        problems.append("the pod is killed before the server has stopped")
    for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
        if container[kind]["httpGet"]["path"] not in ("/health/live", "/health/ready") or container[kind]["httpGet"]["port"] not in ports:
            problems.append(f"{kind} asks a path or port that does not exist")
    if variables["PORT"] != str(ports["http"]) or variables.get("METRICS_ADDR", "").rpartition(":")[2] != str(ports.get("metrics", "")):
        problems.append("the ports of the settings and of the container differ")
    for budget in by_kind.get("PodDisruptionBudget", []):
        if not selects(budget["spec"]["selector"], labels):
            problems.append("the PodDisruptionBudget does not select the servers")
    for scaler in by_kind.get("HorizontalPodAutoscaler", []):
        if scaler["spec"]["scaleTargetRef"]["name"] != deployment["metadata"]["name"]:
            problems.append("the HorizontalPodAutoscaler has another target")
        if "replicas" in deployment["spec"]:
            problems.append("an upgrade would reset the number that the HorizontalPodAutoscaler has set")
        if "cpu" not in container["resources"]["requests"]:
            problems.append("the HorizontalPodAutoscaler needs a CPU request")
    for policy in by_kind.get("NetworkPolicy", []):
        if not selects(policy["spec"]["podSelector"], labels):
            problems.append("the NetworkPolicy does not select the servers")
        allowed = {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]}
        if allowed != set(ports.values()):
            problems.append(f"the NetworkPolicy allows the ports {allowed}")
    for monitor in by_kind.get("ServiceMonitor", []):
        selected = [s for s in by_kind["Service"] if selects(monitor["spec"]["selector"], s["metadata"]["labels"])]
        if len(selected) != len(pods) or any(monitor["spec"]["endpoints"][0]["port"] not in [p["name"] for p in s["spec"]["ports"]] for s in selected):
            problems.append("the ServiceMonitor does not select the ports of the metrics")
        if selected and selected[0]["metadata"]["labels"][monitor["spec"]["jobLabel"]] != "bucketlist":
            problems.append("the alerts expect another job name")
    for ingress in by_kind.get("Ingress", []):
        [rule] = ingress["spec"]["rules"]
        path = rule["http"]["paths"][0]["path"]
        if not variables.get("PUBLIC_URL", "").endswith(f"{rule['host']}{path.removesuffix('/')}"):
            problems.append("PUBLIC_URL is not the URL of the Ingress")
    for job in by_kind.get("Job", []):
        if not is_hook(job) or "serviceAccountName" in job["spec"]["template"]["spec"]:
            problems.append("the migration job depends on objects that are created after it")
        if job["spec"]["template"]["spec"]["containers"][0]["image"] != container["image"]:
            problems.append("the migration job has a different image than the servers")
    return problems


settings = set(re.findall(r"^([A-Z_0-9]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
for values in sorted((CHART / "ci").glob("*.yaml")):
    rendered = render("--values", str(values))
    if rendered.returncode:
        check(f"{values.name}: references and security", [rendered.stderr])
        continue
    check(f"{values.name}: references and security", problems_of([d for d in yaml.safe_load_all(rendered.stdout) if d], settings))
for title, arguments in REJECTED.items():
    rendered = render(*REQUIRED, *arguments)
    check(f"{title} is rejected", [] if rendered.returncode else ["it was accepted"])
sys.exit(1 if failures else 0)

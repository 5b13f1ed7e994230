"""Generates, compiles and runs the clients, prints the results and compares them with docs/clients.md.

    run.py [--only LANGUAGE]… [--write]

Called by `scripts/clients` with a server in BASE_URL and the tools in PATH. Exits with 0 if every client was generated without warnings,
compiled and completed its scenario, and docs/clients.md is current; with 1 otherwise.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import future_proxy

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = "target/clients"
PAGE = ROOT / "docs/clients.md"
LIMIT = 1800

STEPS = {
    "v2": ["register", "create", "pages", "change", "values", "error", "tolerance", "csv"],
    "v1": ["register", "create", "pages", "error", "tolerance"],
}

# Warnings of generators that no document can avoid.
ALLOWED = [
    # openapi-generator 7.26.0; `python` prints it for every document.
    re.compile(r"WARN +o\.o\.codegen\.utils\.ModelUtils - Failed to get the schema name: null$"),
]


def openapi_generator(name, extra=""):
    return (
        f"openapi-generator-cli generate -g {name} -c openapi/generators/{name}.yaml{extra} "
        f"-i openapi/VERSION.json -o {OUT}/{name}/VERSION"
    )


def jars():
    """Returns the class path: Jackson from the jar of the generator, Jakarta annotations from Debian."""
    import openapi_generator_cli

    generator = pathlib.Path(openapi_generator_cli.__file__).with_name("openapi-generator.jar")
    return f"{generator}:/usr/share/java/jakarta-annotation-api.jar"


class Client:
    def __init__(self, language, generator, version, generate, compile=(), compiled="", run="", runs=("v2", "v1"), notes=""):
        self.language, self.generator, self.version = language, generator, version
        # Commands run in the repository root. VERSION is replaced by v1 and v2; a command without it handles both.
        self.generate = generate
        self.compile, self.compiled = compile, compiled
        self.run, self.runs = run, runs
        self.notes = notes


def clients():
    sdk = "tests/clients/typescript"
    javac = f"javac -Xlint:none -d {OUT}/java/classes-VERSION -cp $JARS $(find {OUT}/java/VERSION/src/main -name '*.java')"
    return [
        Client(
            "TypeScript", "openapi-typescript, openapi-fetch", "7.13.0, 0.17.0",
            [f"openapi-typescript openapi/VERSION.json --default-non-nullable=false -o {OUT}/openapi-typescript/VERSION.ts"],
            [f"tsc -p {sdk}/tsconfig.openapi_fetch.json"], "`tsc --strict`",
            f"node {sdk}/dist/{sdk}/openapi_fetch.js BASE FUTURE",
            notes="`--default-non-nullable=false`: a field with a default stays optional in requests. A client is created for "
            "specific media types: `createClient<paths, \"application/json\" | \"application/problem+json\">`, and another "
            "one for `text/csv`. PATCH requires the header `Content-Type: application/merge-patch+json`.",
        ),
        Client(
            "TypeScript", "@hey-api/openapi-ts", "0.95.0",
            ["openapi-ts -f openapi/generators/hey-api.mjs"],
            [f"tsc -p {sdk}/tsconfig.hey_api.json"], "`tsc --strict`",
            f"node {sdk}/dist/{sdk}/hey_api.js BASE FUTURE",
            notes="For CSV, use the header `Accept: text/csv` and `parseAs: \"text\"`.",
        ),
        Client(
            "Python", "openapi-python-client", "0.29.1",
            [
                "openapi-python-client generate --path openapi/VERSION.json --meta none --overwrite --fail-on-warning "
                "--config openapi/generators/openapi-python-client.yaml "
                "--custom-template-path openapi/generators/openapi-python-client "
                f"--output-path {OUT}/openapi-python-client/VERSION"
            ],
            [f"python3 -m compileall -q {OUT}/openapi-python-client"], "`compileall`",
            f"env PYTHONPATH={OUT}/openapi-python-client python3 tests/clients/python/with_openapi_python_client.py BASE FUTURE",
            notes="The template accepts unknown enum values; by default the generated code raises `ValueError`. For CSV, use the "
            "underlying HTTPX client.",
        ),
        Client(
            "Python", "openapi-generator `python`", "7.26.0",
            [openapi_generator("python", " -t openapi/generators/python")],
            [f"python3 -m compileall -q {OUT}/python"], "`compileall`",
            f"python3 tests/clients/python/with_openapi_generator.py BASE FUTURE {OUT}/python",
            notes="The template accepts unknown enum values; by default the generated code raises `ValidationError`. For CSV, use "
            "`list_items_without_preload_content` with `_headers`.",
        ),
        Client(
            "Rust", "progenitor", "0.15.1",
            [
                f"cargo run --quiet -- openapi print --contract {version} --json-only > {OUT}/rust/{version}.json"
                for version in ("v1", "v2")
            ],
            [f"cargo build --locked --quiet --manifest-path tests/clients/rust/Cargo.toml --target-dir {OUT}/rust/target"], "`cargo build`",
            f"{OUT}/rust/target/debug/bucketlist-rust-client BASE FUTURE",
            notes="progenitor runs as a macro, in `openapi/generators/progenitor.rs`; copy that file and the dependencies of "
            "`tests/clients/rust/Cargo.toml`. It supports one media type: `openapi print --json-only` writes each `+json` "
            "type as `application/json` and omits other formats, and a hook restores the media type of a merge patch. Its enums "
            "reject unknown values, so those of responses are replaced by `String`. For CSV, use the underlying reqwest client.",
        ),
        Client(
            "Go", "openapi-generator `go`", "7.26.0",
            [openapi_generator("go", " --git-repo-id client-VERSION")],
            ["go -C tests/clients/go vet ./...", f"go -C tests/clients/go build -o {ROOT}/{OUT}/go/scenario ."],
            "`go vet`, `go build`",
            f"{OUT}/go/scenario BASE FUTURE",
            notes="`disallowAdditionalPropertiesIfNotPresent: false` and `enumUnknownDefaultCase` are required: without them, an "
            "unknown field or enum value is an error. For CSV, use the returned HTTP response, and a transport that sets `Accept`.",
        ),
        Client(
            "Java", "openapi-generator `java` (`native`)", "7.26.0",
            [openapi_generator("java")],
            [javac, f"javac -d {OUT}/java/classes-v2 -cp $JARS:{OUT}/java/classes-v2 tests/clients/java/Scenario.java"],
            "`javac`",
            f"java -cp $JARS:{OUT}/java/classes-v2 Scenario BASE FUTURE", runs=("v2",),
            notes="Both versions are compiled; the scenario uses v2. Read the body of an error with "
            "`client.getObjectMapper().readValue(error.getResponseBody(), Problem.class)`.",
        ),
        Client(
            "Kotlin", "openapi-generator `kotlin`", "7.26.0", [openapi_generator("kotlin")],
            notes="Generated but not compiled, because OkHttp 4 and Moshi are not available to these tests.",
        ),
        Client(
            "C#", "openapi-generator `csharp`", "7.26.0", [openapi_generator("csharp")],
            notes="Generated but not compiled, because the .NET SDK is not available to these tests.",
        ),
    ]


class Failed(Exception):
    pass


def execute(command, environment, log):
    """Runs a command in the repository root, logs its output and returns it."""
    log.write(f"$ {command}\n")
    log.flush()
    try:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command], cwd=ROOT, env=environment, text=True, timeout=LIMIT,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(f"took more than {LIMIT} s: {command}") from error
    log.write(done.stdout)
    if done.returncode != 0:
        raise Failed(f"exit code {done.returncode}: {command}\n{done.stdout[-6000:]}")
    return done.stdout


def for_versions(commands):
    for command in commands:
        if "VERSION" in command:
            yield from (command.replace("VERSION", version) for version in ("v1", "v2"))
        else:
            yield command


def warnings(output):
    """Returns the lines that are warnings or errors."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", output)
    lines = [line for line in plain.splitlines() if re.search(r"\b(warn(ing)?s?|error)\b", line, re.IGNORECASE)]
    lines = [line for line in lines if " INFO " not in line]
    return [line for line in lines if not any(allowed.search(line) for allowed in ALLOWED)]


def attempt(client, base, future, environment, log):
    """Returns a row of the results: generated, compiled, ran."""
    row = ["no warnings", client.compiled or "not compiled", "not run"]
    for command in for_versions(client.generate):
        found = warnings(execute(command, environment, log))
        if found:
            raise Failed("the generator printed warnings:\n" + "\n".join(found))
    for command in for_versions(client.compile):
        found = warnings(execute(command, environment, log))
        if found:
            raise Failed("the compiler printed warnings:\n" + "\n".join(found))
    if client.run:
        output = execute(client.run.replace("BASE", base).replace("FUTURE", future), environment, log)
        completed = [line.removeprefix("ok ") for line in output.splitlines() if line.startswith("ok ")]
        expected = [f"{version} {step}" for version in client.runs for step in STEPS[version]]
        if completed != expected:
            raise Failed(f"the scenario completed {completed}, expected {expected}")
        row[2] = " and ".join(f"{version} ({len(STEPS[version])} steps)" for version in client.runs)
    return row


def page(rows):
    """Returns the text of docs/clients.md."""
    lines = [
        "# Generated clients",
        "",
        "`make clients` generates these clients from `openapi/v1.json` and `openapi/v2.json`, compiles them, and runs a scenario",
        "against a temporary server. It fails on any warning of a generator or compiler, and if this page is not current.",
        "`scripts/clients --write` updates this page. One warning is ignored, which openapi-generator's `python` prints for every",
        "document: `Failed to get the schema name: null`.",
        "",
        "| language | generator | version | generated | compiled | ran |",
        "|---|---|---|---|---|---|",
    ]
    for client, row in rows:
        lines.append("| " + " | ".join([client.language, client.generator, client.version, *row]) + " |")
    lines += [
        "",
        "The scenario: register; create lists and items; read all pages (cursors in v2, page numbers in v1) and receive each row",
        "once; update an item with a merge patch; send a time, null, an enum and an array in the types of the language; receive an",
        "error and decode it as the generated type; decode responses with unknown fields and enum values, as a future release could",
        "send them; download a list as CSV. Java and Rust do not send null, because their generators omit it. The scenario and the",
        "lock files with the versions of all tools are in `tests/clients/`, the settings of the generators in `openapi/generators/`.",
        "",
        "Some generators omit the body of a DELETE request, as OpenAPI 3.0 permits. To delete an account with such a client, use",
        "`deleteAccount` (`POST /v2/users/me/delete`) instead of `deleteMe`.",
        "",
        "## Generating a client",
        "",
        "Run the command in the root of this repository, with the generator in your `PATH`. For v1, replace `v2` by `v1`.",
    ]
    for client, _ in rows:
        lines += ["", f"### {client.language}: {client.generator}", "", "```sh"]
        lines += [command.replace("VERSION", "v2") for command in client.generate]
        lines += ["```"]
        if client.notes:
            lines += ["", *fold(client.notes)]
    return "\n".join(lines) + "\n"


def fold(text, width=120):
    """Wraps words; code spans are not divided."""
    lines, line = [], ""
    for word in re.findall(r"(?:`[^`]*`|[^\s`]+)+", text):
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return [*lines, line]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", action="append", default=[], metavar="LANGUAGE")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    everything = clients()
    only = [name.lower() for name in arguments.only]
    unknown = set(only) - {client.language.lower() for client in everything}
    if unknown:
        sys.exit(f"error: unknown language: {', '.join(sorted(unknown))}\nhelp: choose one of {', '.join(sorted({c.language for c in everything}))}")
    chosen = [client for client in everything if not only or client.language.lower() in only]

    base = os.environ["BASE_URL"]
    future = future_proxy.start(base)
    environment = dict(os.environ, JARS=jars(), GOFLAGS="-mod=mod", GOPROXY="off", GOTOOLCHAIN="local")
    environment["GOCACHE"] = str(ROOT / OUT / "go-cache")
    # Delete the output of earlier runs.
    for folder in ("openapi-typescript", "hey-api", "openapi-python-client", "python", "go", "java", "kotlin", "csharp"):
        shutil.rmtree(ROOT / OUT / folder, ignore_errors=True)
    (ROOT / OUT / "rust").mkdir(parents=True, exist_ok=True)

    rows, failures = [], []
    with open(ROOT / OUT / "log.txt", "w", encoding="utf-8") as log:
        for client in chosen:
            title = f"{client.language}: {client.generator}"
            print(f"  {title} …", flush=True)
            began = time.monotonic()
            try:
                row = attempt(client, base, future, environment, log)
            except Failed as failure:
                failures.append(title)
                row = ["FAILED", "", ""]
                print(f"    {failure}", flush=True)
            print(f"    {', '.join(each for each in row if each)}: {time.monotonic() - began:.0f} s", flush=True)
            rows.append((client, row))

    print()
    for client, row in rows:
        print(f"  {client.language:<11} {client.generator:<36} " + "  ".join(f"{each:<24}" for each in row))
    if failures:
        sys.exit(f"\n{len(failures)} of {len(rows)} failed: {'; '.join(failures)}. All output is in {OUT}/log.txt.")
    if not only:
        text = page(rows)
        if arguments.write:
            PAGE.write_text(text, encoding="utf-8")
        elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
            sys.exit("\nerror: docs/clients.md is not current\nhelp: run `scripts/clients --write`")
    print(f"\n{len(rows)} of {len(rows)} clients passed.")


if __name__ == "__main__":
    main()

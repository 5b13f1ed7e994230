"""Generates, compiles and runs the clients; prints the matrix, and holds docs/clients.md to it.

    run.py [--only LANGUAGE]… [--write]

`scripts/clients` calls it, with BASE_URL naming a server and the tools in PATH. Exits 0 when every client was generated
without a warning, compiled and went through its scenario, and the page is what the run says; else 1.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import odd_proxy

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = "target/clients"
PAGE = ROOT / "docs/clients.md"
LIMIT = 1800

STEPS = {
    "v2": ["register", "create", "pages", "change", "error", "tolerance", "csv"],
    "v1": ["register", "create", "pages", "error", "tolerance"],
}

# Lines of a generator that no document can avoid, and why.
ALLOWED = [
    # openapi-generator 7.26.0; its `python` prints it for a document of three lines, too.
    re.compile(r"WARN +o\.o\.codegen\.utils\.ModelUtils - Failed to get the schema name: null$"),
]


def openapi_generator(name, extra=""):
    return (
        f"openapi-generator-cli generate -g {name} -c openapi/generators/{name}.yaml{extra} "
        f"-i openapi/VERSION.json -o {OUT}/{name}/VERSION"
    )


def jars():
    """Jackson comes in the generator's own jar, the annotations of Jakarta from Debian."""
    import openapi_generator_cli

    generator = pathlib.Path(openapi_generator_cli.__file__).with_name("openapi-generator.jar")
    return f"{generator}:/usr/share/java/jakarta-annotation-api.jar"


class Client:
    def __init__(self, language, generator, version, generate, compile=(), compiled="", run="", runs=("v2", "v1"), notes=""):
        self.language, self.generator, self.version = language, generator, version
        # Commands for the repository's root. VERSION stands for v1 and v2 each; one without it does both at once.
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
            f"node {sdk}/dist/{sdk}/openapi_fetch.js BASE ODD",
            notes="`--default-non-nullable=false`: a field with a default stays optional in requests. A client is made for the "
            "media types it asks for: `createClient<paths, \"application/json\" | \"application/problem+json\">`, and another "
            "one for `text/csv`. PATCH needs the header `Content-Type: application/merge-patch+json`.",
        ),
        Client(
            "TypeScript", "@hey-api/openapi-ts", "0.95.0",
            ["openapi-ts -f openapi/generators/hey-api.mjs"],
            [f"tsc -p {sdk}/tsconfig.hey_api.json"], "`tsc --strict`",
            f"node {sdk}/dist/{sdk}/hey_api.js BASE ODD",
            notes="Ask for CSV with the header `Accept: text/csv` and `parseAs: \"text\"`.",
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
            f"env PYTHONPATH={OUT}/openapi-python-client python3 tests/clients/python/with_openapi_python_client.py BASE ODD",
            notes="The template keeps a value of an enumeration that the document does not have: as the generator comes, such "
            "an answer raises `ValueError`. CSV is asked for with the HTTPX client beneath.",
        ),
        Client(
            "Python", "openapi-generator `python`", "7.26.0",
            [openapi_generator("python", " -t openapi/generators/python")],
            [f"python3 -m compileall -q {OUT}/python"], "`compileall`",
            f"python3 tests/clients/python/with_openapi_generator.py BASE ODD {OUT}/python",
            notes="The template keeps a value of an enumeration that the document does not have: as the generator comes, such "
            "an answer raises `ValidationError`. CSV: `list_items_without_preload_content` with `_headers`.",
        ),
        Client(
            "Rust", "progenitor", "0.15.1",
            [f"cargo run --quiet -- openapi print --contract v2 --json-only > {OUT}/rust/v2.json"],
            [f"cargo build --locked --quiet --manifest-path tests/clients/rust/Cargo.toml --target-dir {OUT}/rust/target"], "`cargo build`",
            f"{OUT}/rust/target/debug/bucketlist-rust-client BASE ODD",
            notes="progenitor runs as a macro, in `openapi/generators/progenitor.rs`; copy that file and the dependencies of "
            "`tests/clients/rust/Cargo.toml`. It takes v1 as it is. It knows one media type, so for v2 `openapi print "
            "--json-only` writes each `+json` type as `application/json` and leaves out the forms that are not JSON; a hook "
            "restores the media type of a merge patch. Its enumerations refuse what they do not know, so those of answers are "
            "replaced by `String`. CSV is asked for with the reqwest client beneath.",
        ),
        Client(
            "Go", "openapi-generator `go`", "7.26.0",
            [openapi_generator("go", " --git-repo-id client-VERSION")],
            ["go -C tests/clients/go vet ./...", f"go -C tests/clients/go build -o {ROOT}/{OUT}/go/scenario ."],
            "`go vet`, `go build`",
            f"{OUT}/go/scenario BASE ODD",
            notes="`disallowAdditionalPropertiesIfNotPresent: false` and `enumUnknownDefaultCase` are needed: without the "
            "first a field that is added to an answer is an error, without the second a value is. CSV: the answer beside the "
            "result, with a transport that sets `Accept`.",
        ),
        Client(
            "Java", "openapi-generator `java` (`native`)", "7.26.0",
            [openapi_generator("java")],
            [javac, f"javac -d {OUT}/java/classes-v2 -cp $JARS:{OUT}/java/classes-v2 tests/clients/java/Scenario.java"],
            "`javac`",
            f"java -cp $JARS:{OUT}/java/classes-v2 Scenario BASE ODD", runs=("v2",),
            notes="Both versions are compiled; the scenario is for v2. An error's body is read with "
            "`client.getObjectMapper().readValue(error.getResponseBody(), Problem.class)`.",
        ),
        Client(
            "Kotlin", "openapi-generator `kotlin`", "7.26.0", [openapi_generator("kotlin")],
            notes="Generated, and not compiled: OkHttp 4 and Moshi are in no registry that these tests reach.",
        ),
        Client(
            "C#", "openapi-generator `csharp`", "7.26.0", [openapi_generator("csharp")],
            notes="Generated, and not compiled: there is no .NET SDK in a registry that these tests reach.",
        ),
    ]


class Failed(Exception):
    pass


def execute(command, environment, log):
    """Runs a command in the repository's root; its output goes to the log and is given back."""
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


def complaints(output):
    """The lines of a generator or compiler that are warnings."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", output)
    lines = [line for line in plain.splitlines() if re.search(r"\b(warn(ing)?s?|error)\b", line, re.IGNORECASE)]
    lines = [line for line in lines if " INFO " not in line]
    return [line for line in lines if not any(allowed.search(line) for allowed in ALLOWED)]


def attempt(client, base, odd, environment, log):
    """One row of the matrix: generated, compiled, ran."""
    row = ["no warnings", client.compiled or "not compiled", "not run"]
    for command in for_versions(client.generate):
        found = complaints(execute(command, environment, log))
        if found:
            raise Failed("the generator warns:\n" + "\n".join(found))
    for command in for_versions(client.compile):
        found = complaints(execute(command, environment, log))
        if found:
            raise Failed("the compiler warns:\n" + "\n".join(found))
    if client.run:
        output = execute(client.run.replace("BASE", base).replace("ODD", odd), environment, log)
        said = [line.removeprefix("ok ") for line in output.splitlines() if line.startswith("ok ")]
        expected = [f"{version} {step}" for version in client.runs for step in STEPS[version]]
        if said != expected:
            raise Failed(f"the scenario said {said}, not {expected}")
        row[2] = " and ".join(f"{version} ({len(STEPS[version])} steps)" for version in client.runs)
    return row


def page(rows):
    """The text of docs/clients.md."""
    lines = [
        "# Generated clients",
        "",
        "`make clients` generates these clients from `openapi/v1.json` and `openapi/v2.json`, compiles them, and lets those it",
        "can run go through one scenario against a server of its own. It fails on a warning of a generator or compiler, and",
        "when this page is not what the run said. `scripts/clients --write` writes the page. One line is let through, which",
        "openapi-generator prints of its own: `Failed to get the schema name: null`; its `python` does so for any document.",
        "",
        "| language | generator | version | generated | compiled | ran |",
        "|---|---|---|---|---|---|",
    ]
    for client, row in rows:
        lines.append("| " + " | ".join([client.language, client.generator, client.version, *row]) + " |")
    lines += [
        "",
        "The scenario: register; create lists and items; walk the pages (v2 by cursor, v1 by number) and see each row once;",
        "change an item by merge patch; have a request refused and read the error as the generated type; read the answers of",
        "a server of next year, in which every object has an unknown field and every enumeration an unknown value; take a",
        "list as CSV. It is in `tests/clients/`, the versions of all tools are in the lock files there, and the settings of",
        "the generators in `openapi/generators/`.",
        "",
        "## Generating one yourself",
        "",
        "From the root of this repository, with the generator of the version above in your path; for v1, write `v1` for `v2`.",
    ]
    for client, _ in rows:
        lines += ["", f"### {client.language}: {client.generator}", "", "```sh"]
        lines += [command.replace("VERSION", "v2") for command in client.generate]
        lines += ["```"]
        if client.notes:
            lines += ["", *fold(client.notes)]
    return "\n".join(lines) + "\n"


def fold(text, width=120):
    """Lines of words; a code span is not broken."""
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
        sys.exit(f"There is no client in {', '.join(sorted(unknown))}; there are {', '.join(sorted({c.language for c in everything}))}.")
    chosen = [client for client in everything if not only or client.language.lower() in only]

    base = os.environ["BASE_URL"]
    odd = odd_proxy.start(base)
    environment = dict(os.environ, JARS=jars(), GOFLAGS="-mod=mod", GOPROXY="off", GOTOOLCHAIN="local")
    environment["GOCACHE"] = str(ROOT / OUT / "go-cache")
    # What an earlier run generated is no part of this one.
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
                row = attempt(client, base, odd, environment, log)
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
            sys.exit("\ndocs/clients.md is not what this run said: `scripts/clients --write` writes it.")
    print(f"\n{len(rows)} of {len(rows)} clients are well.")


if __name__ == "__main__":
    main()
